"""Checks that each product's totals are as new as the log."""

from collections.abc import Mapping
from itertools import islice

from redis import Redis

from readmodel.store.registers import decode
from readmodel.views.products import TOTALS, TOTALS_SHAPE, product_key

VERIFIED_AT_ONCE = 10_000


def outdated_totals(redis: Redis, generation: str, versions: Mapping[str, int]) -> list[str]:
    """Return the SKUs whose totals are missing in the generation, or have an older version than in `versions`."""
    skus, outdated = iter(versions), list[str]()
    while chunk := list(islice(skus, VERIFIED_AT_ONCE)):
        pipeline = redis.pipeline(transaction=False)
        for sku in chunk:
            pipeline.hget(f"{generation}:{product_key(sku)}", TOTALS)
        stored = zip(chunk, pipeline.execute(), strict=True)
        outdated += [sku for sku, value in stored if value is None or decode(value, TOTALS_SHAPE)[0] < versions[sku]]
    return outdated

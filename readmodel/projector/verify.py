"""Compares a new generation with what the log says."""

from collections.abc import Mapping
from itertools import islice

from redis import Redis

from readmodel.store.registers import decode
from readmodel.views.products import TOTALS, product_key

VERIFIED_AT_ONCE = 10_000


def outdated_products(redis: Redis, generation: str, versions: Mapping[str, int]) -> list[str]:
    """Return the SKUs that the generation lacks, or has at a lower version than the log."""
    skus, outdated = iter(versions), list[str]()
    while chunk := list(islice(skus, VERIFIED_AT_ONCE)):
        pipeline = redis.pipeline(transaction=False)
        for sku in chunk:
            pipeline.hget(f"{generation}:{product_key(sku)}", TOTALS)
        stored = zip(chunk, pipeline.execute(), strict=True)
        outdated += [sku for sku, value in stored if value is None or decode(value)[0] < versions[sku]]
    return outdated

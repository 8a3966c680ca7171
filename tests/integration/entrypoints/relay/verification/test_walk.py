"""A walk verifies everything, in small pages, and repeats a page after an error."""

import pytest
from sqlalchemy import Engine

from allocation.adapters.postgres.checks.state import StateReader
from allocation.entrypoints.relay.verification.walk import Walk
from readmodel.projector.verification.differences import Difference
from readmodel.store.keys import ORGANISING_KEYS
from readmodel.store.store import Store
from readmodel.views.products import product_key
from tests.support.readmodel.damages import LINE
from tests.support.readmodel.verification import verifier

PAGE = 3


def walk(store: Store, engine: Engine, page: int = PAGE) -> Walk:
    return Walk(verifier(store, engine), StateReader(engine), page)


def leave(_: Difference) -> None:
    """Correct nothing."""


@pytest.mark.parametrize("kind", ["product", "batch", "line", "event"])
def test_small_pages_have_the_same_rows(kind: str, shop: Store, engine: Engine) -> None:
    state = StateReader(engine)
    [everything] = state.pages(kind)
    pages = list(state.pages(kind, size=2))
    assert [name for page in pages for name in page] == everything
    assert max(map(len, pages)) == 2
    assert list(state.pages(kind, size=500, after=everything[1])) == [everything[2:]]


def test_a_round_compares_every_row_and_every_field(shop: Store, engine: Engine) -> None:
    names = [name for kind in ("product", "batch", "line") for page in StateReader(engine).pages(kind) for name in page]
    start = f"{shop.generations().live}:*"
    hashes, lists = (set(shop.redis.scan_iter(start, _type=kind)) for kind in ("hash", "zset"))
    organising = {f"{shop.generations().live}:{key}" for key in ORGANISING_KEYS}
    sizes = [int(shop.redis.hlen(key)) for key in hashes - organising]
    sizes += [int(shop.redis.zcard(key)) for key in lists]
    everything, compared = walk(shop, engine), list[int]()
    while not everything.rounds:
        compared.append(everything.step(leave))
    assert sum(compared) == len(names) + sum(sizes)
    assert max(compared) <= sum(sorted(sizes)[-PAGE:]), "a page has at most the largest keys"


def test_a_large_hash_is_read_in_parts(shop: Store, engine: Engine) -> None:
    """One read of all its fields would delay the commands of other clients."""
    ghosts = [f"batch:never-{number}" for number in range(2_000)]
    shop.redis.hset(f"{shop.generations().live}:{product_key('S')}", mapping=dict.fromkeys(ghosts, "1 {}"))
    found, compared, everything = list[Difference](), list[int](), walk(shop, engine, page=10)
    while not everything.rounds:
        compared.append(everything.step(found.append))
    assert {difference.field for difference in found} == set(ghosts)
    assert max(compared) < 100


def test_a_step_repeats_its_page_after_an_error(shop: Store, engine: Engine) -> None:
    """If the walk went on, it would find the damage only in the next round."""
    live = shop.generations().live
    shop.redis.hdel(f"{live}:{LINE}", "S")
    shop.redis.hset(f"{live}:{LINE}", "NEVER", "1 {}")
    everything, tries = walk(shop, engine), dict[str | None, int]()

    def fail_once(difference: Difference) -> None:
        tries[difference.field] = tries.get(difference.field, 0) + 1
        if tries[difference.field] == 1:
            raise ConnectionError
        verifier(shop, engine).repair(difference)

    while not everything.rounds:
        try:
            everything.step(fail_once)
        except ConnectionError:
            continue
    assert tries == {"S": 2, "NEVER": 2}
    assert shop.redis.hkeys(f"{live}:{LINE}") == ["T", "S"]

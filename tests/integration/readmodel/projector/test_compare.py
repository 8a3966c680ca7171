"""The comparison of two generations finds each difference, and none while writers write both."""

import threading
from collections.abc import Callable
from itertools import count

import pytest
from redis import Redis

from allocation.event_handlers import PROJECTION
from readmodel.projector import compare as module
from readmodel.projector.compare import HashPairs, compare
from readmodel.projector.verification.differences import NO_HASH, Difference
from readmodel.store import functions, keys
from readmodel.store.connection import ThreadConnection
from readmodel.store.functions import Step
from readmodel.store.generations import Generations
from readmodel.store.names import Names
from readmodel.store.store import Store
from readmodel.views.batches import STATE, batch_key
from readmodel.views.orders import order_key
from readmodel.views.products import TOTALS
from tests.support.e2e.threads import in_threads
from tests.support.eventually import eventually
from tests.support.readmodel.generations import LOG, always, announce_generation
from tests.support.readmodel.writes import HOT_KEYS, Writes, register

ORDER, BATCH = order_key("o1"), batch_key("b1")
VALUE = register(ORDER, "S").value.decode()


@pytest.fixture
def quiet(pair: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A pair that no other process writes, so that the comparison need not pause."""
    monkeypatch.setattr(module, "PAUSE", 0)
    return pair


@pytest.fixture
def pair(store: Store) -> Store:
    """A store with the former generation g1 and the new one g2, which hold the same views."""
    announce_pair(store)
    return store


def announce_pair(store: Store) -> tuple[str, str]:
    """Announce a former and a new generation with the same views. Return their names."""
    former, new = store.names.generation(1), store.names.generation(2)
    announce_generation(store, Generations(), former)
    announce_generation(store, Generations(former), new, live=False)
    store.apply(always(register(ORDER, "S"), register(ORDER, "T"), register(BATCH, STATE)), LOG)
    return former, new


def test_equal_generations_have_no_differences(quiet: Store) -> None:
    assert quiet.redis.hgetall(f"g2:{ORDER}") == {"S": VALUE, "T": VALUE}
    assert compare(quiet, "g1", "g2") == (0, [], True)


def test_another_order_of_the_fields_is_no_difference(quiet: Store) -> None:
    quiet.redis.hdel(f"g1:{ORDER}", "S")
    quiet.redis.hset(f"g1:{ORDER}", "S", VALUE)
    assert quiet.redis.dump(f"g1:{ORDER}") != quiet.redis.dump(f"g2:{ORDER}")
    assert compare(quiet, "g1", "g2") == (0, [], True)


def test_cursors_and_other_generations_do_not_count(quiet: Store) -> None:
    assert quiet.advance("g1", [], LOG, Step(0, 7, "7 7 0123456789abcdef"))
    quiet.redis.delete(f"g1:{keys.cursor('{05}')}", f"g2:{keys.history('{06}')}")
    for name in (f"g11:{ORDER}", f"g22:{ORDER}", f"shop:g1:{ORDER}", "g1:note"):
        quiet.redis.hset(name, "S", "9 {}")
    assert compare(quiet, "g1", "g2") == (0, [], True)


def lose_key(redis: Redis) -> None:
    redis.delete(f"g1:{ORDER}")


def replace_key(redis: Redis) -> None:
    redis.delete(f"g1:{ORDER}")
    redis.rpush(f"g1:{ORDER}", "x")


DAMAGES: dict[str, tuple[Callable[[Redis], object], list[tuple[str, str | None, str | None, str | None]]]] = {
    "another value": (lambda redis: redis.hset(f"g1:{ORDER}", "S", "9 {}"), [(ORDER, "S", "9 {}", VALUE)]),
    "an empty value": (lambda redis: redis.hset(f"g1:{ORDER}", "S", ""), [(ORDER, "S", "", VALUE)]),
    "a lost field": (lambda redis: redis.hdel(f"g1:{ORDER}", "S"), [(ORDER, "S", None, VALUE)]),
    "a further field": (lambda redis: redis.hset(f"g1:{ORDER}", "U", "1 {}"), [(ORDER, "U", "1 {}", None)]),
    "a lost key": (lose_key, [(ORDER, "S", None, VALUE), (ORDER, "T", None, VALUE)]),
    "another type": (replace_key, [(ORDER, "S", NO_HASH, VALUE), (ORDER, "T", NO_HASH, VALUE)]),
    "a further key": (
        lambda redis: redis.hset("g1:{99}:order:o9", "S", "1 {}"),
        [("{99}:order:o9", "S", "1 {}", None)],
    ),
    "a further string": (lambda redis: redis.set("g1:{00}:note", "x"), [("{00}:note", None, NO_HASH, None)]),
    "a string in the new one": (lambda redis: redis.set("g2:{00}:note", "x"), [("{00}:note", None, None, NO_HASH)]),
    "a binary key": (
        lambda redis: redis.hset(b"g1:{07}:\0 *\n\xff", b"\xfe", b"\xfd"),
        [("{07}:\0 *\n\udcff", "\udcfe", "\udcfd", None)],
    ),
    "a binary field": (lambda redis: redis.hset(f"g1:{ORDER}", b"{\xff}:", b"\0"), [(ORDER, "{\udcff}:", "\0", None)]),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_difference_is_reported_with_its_values(quiet: Store, name: str) -> None:
    damage, expected = DAMAGES[name]
    damage(quiet.redis)
    report = compare(quiet, "g1", "g2")
    assert {*report.examples} == {Difference(*difference) for difference in expected}
    assert (report.registers, report.complete) == (len(expected), True)


def test_generations_with_a_prefix_are_compared(redis: Redis) -> None:
    store = Store(redis, Names("shop"))
    store.install(PROJECTION.cached_members)
    former, new = announce_pair(store)
    assert (former, compare(store, former, new).registers) == ("shop:g1", 0)
    redis.hdel(f"{former}:{ORDER}", "S")
    assert compare(store, former, new).examples == [Difference(ORDER, "S", None, VALUE)]


def test_every_difference_counts_but_few_are_shown(quiet: Store) -> None:
    for number in range(1_000):
        quiet.redis.hset(f"g1:{{07}}:order:o{number}", "S", "1 {}")
    report = compare(quiet, "g1", "g2")
    assert (report.registers, len(report.examples), report.complete) == (1_000, module.EXAMPLES, True)


def test_a_call_compares_only_some_of_the_large_hashes(quiet: Store) -> None:
    """Otherwise it would block Redis for too long. The next call compares the others."""
    names = [f"{{07}}:order:o{number}" for number in range(10)]
    for name in names:
        quiet.redis.hset(f"g1:{name}", mapping={f"S{number}": "1 {}" for number in range(300)})
    redis_keys = [f"{generation}:{name}".encode() for name in names for generation in ("g1", "g2")]
    command = functions.compare_command(quiet.names, redis_keys, NO_HASH)
    [(compared, *_)] = ThreadConnection(quiet.redis).send([command])
    assert 0 < compared < len(names)
    assert len(HashPairs(quiet, "g1", "g2").differing(names)) == 3_000


def test_the_comparison_ends_early_at_many_differences(quiet: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_DIFFERENCES", 1)
    lose_key(quiet.redis)
    report = compare(quiet, "g1", "g2")
    assert (report.registers, len(report.examples), report.complete) == (1, 1, False)


def test_writers_cause_no_differences(pair: Store) -> None:
    writes, pairs = Writes(pair.redis), HashPairs(pair, "g1", "g2")
    with writes.running():
        for _ in range(3):
            assert eventually(lambda: pairs.differing(HOT_KEYS)), "no comparison falls between two writes of a writer"
            before = writes.done
            assert compare(pair, "g1", "g2") == (0, [], True)
            assert writes.done > before
    assert compare(pair, "g1", "g2") == (0, [], True)


def test_registers_that_change_in_both_do_not_count(pair: Store) -> None:
    """Each comparison finds an older version in the former generation, but writers do not stop."""
    versions = count(1)

    def write(done: threading.Event) -> None:
        while not done.is_set():
            version = next(versions)
            both = pair.redis.pipeline(transaction=True)
            both.hset(f"g1:{ORDER}", "S", f"{version} {{}}")
            both.hset(f"g2:{ORDER}", "S", f"{version + 1} {{}}")
            both.execute()

    pairs = HashPairs(pair, "g1", "g2")
    with in_threads(write):
        eventually(lambda: next(versions) > 10)
        assert compare(pair, "g1", "g2").registers == 0
        assert pairs.differing([ORDER]).keys() == {(ORDER, "S")}


def test_real_differences_are_found_while_others_write(pair: Store) -> None:
    writes, too_new = Writes(pair.redis), f"{10**15} {{}}"
    with writes.running():
        pair.redis.hset(f"g1:{HOT_KEYS[0]}", TOTALS, too_new)  # No writer replaces it.
        pair.redis.hdel(f"g1:{ORDER}", "T")
        before = writes.done
        report = compare(pair, "g1", "g2")
        assert writes.done > before
    found = {(one.key, one.field): (one.found, one.expected) for one in report.examples}
    assert found.keys() == {(HOT_KEYS[0], TOTALS), (ORDER, "T")}
    assert found[ORDER, "T"] == (None, VALUE)
    former, new = found[HOT_KEYS[0], TOTALS]
    assert (former, (new or "").endswith('{"qty":5}')) == (too_new, True)

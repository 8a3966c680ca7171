"""A preview shows what its command would do, and changes nothing."""

import random
from itertools import islice
from typing import Any

from redis import Redis
from sqlalchemy import Engine, text

from allocation.adapters.schemas import results
from allocation.domain.commands import Allocate, ChangeBatchQuantity, Command, CreateBatch, Deallocate
from allocation.domain.errors import Refusal
from allocation.service_layer.messagebus import MessageBus
from readmodel.store.store import Store
from readmodel.views import batches, orders
from tests.support.service_layer.random_commands import random_commands
from tests.support.service_layer.subjects import Subject, stores_that_keep_waiting_lines

PREVIEWS = 500


def test_previews_change_neither_store(projecting_bus: MessageBus, engine: Engine, model: Store, redis: Redis) -> None:
    commands = random_commands(random.Random(1))
    for command in islice(commands, 300):
        outcome(projecting_bus, command)
    before = fingerprints(engine), redis_values(redis)
    refused = sum(isinstance(preview(projecting_bus, command), str) for command in islice(commands, PREVIEWS))
    assert (fingerprints(engine), redis_values(redis)) == before
    assert 0 < refused < PREVIEWS, "some commands must be refused and some must not"


def test_previews_match_the_effects_of_their_commands(projecting_bus: MessageBus, model: Store) -> None:
    line_count, lost_count = 0, 0
    versions: dict[tuple[str, str], int] = {}
    for command in islice(random_commands(random.Random(2)), PREVIEWS):
        previewed = preview(projecting_bus, command)
        done = outcome(projecting_bus, command)
        if isinstance(previewed, str):
            assert previewed == done
            continue
        assert previewed["answer"] == done
        for line in previewed["lines"]:
            shown = shown_line(model, line["orderid"], line["sku"])
            if shown["version"] == versions.get((line["orderid"], line["sku"])):
                shown["why"] = None  # An earlier command decided this. A preview explains only its own command.
            assert shown == line | {"version": shown["version"], "lost": None}
            versions[line["orderid"], line["sku"]] = shown["version"]
            line_count += 1
            lost_count += line["lost"] is not None
        for batch in previewed["batches"]:
            assert model.read(lambda snapshot, ref=batch["ref"]: batches.batch(snapshot, ref)).value == batch  # type: ignore[misc]
    assert line_count > lost_count > 0


def preview(bus: MessageBus, command: Command) -> dict[str, Any] | str:
    try:
        return results.preview(bus.preview(command))
    except Refusal as refusal:
        return repr(refusal)


def outcome(bus: MessageBus, command: Command) -> object:
    try:
        result = bus.handle(command)
        return "OK" if result is None else results.order_result(result)
    except Refusal as refusal:
        return repr(refusal)


def shown_line(model: Store, orderid: str, sku: str) -> dict[str, Any]:
    """Return the line as the views explain it, in the shape of a previewed line."""
    order = model.read(lambda snapshot: orders.order(snapshot, orderid, explain=True)).value
    assert order is not None
    [line] = [line for line in order["lines"] if line["sku"] == sku]
    return dict(line) | {"orderid": orderid, "lost": None}


def fingerprints(engine: Engine) -> dict[str, object]:
    """Return the row count and a checksum of every table, and the last value of every sequence."""
    with engine.connect() as connection:
        tables = connection.execute(text("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 2200"))
        query = "SELECT count(*), md5(string_agg(CAST(row AS text), ',' ORDER BY CAST(row AS text))) FROM {} AS row"
        checksums: dict[str, object] = {
            name: tuple(connection.execute(text(query.format(name))).one()) for name in tables.scalars()
        }
        sequences = connection.execute(text("SELECT sequencename, last_value FROM pg_sequences"))
        return checksums | {"sequences": [tuple(row) for row in sequences]}


def redis_values(redis: Redis) -> dict[str, object]:
    """Return the value of every key."""
    read: dict[object, Any] = {"string": redis.get, "hash": redis.hgetall, "zset": lambda key: redis.zrange(key, 0, -1)}
    return {str(key): read[redis.type(key)](key) for key in redis.scan_iter()}


@stores_that_keep_waiting_lines
def test_a_preview_shows_displaced_lines_and_their_new_places(subject: Subject) -> None:
    subject.commit(CreateBatch("b1", "S", 10), CreateBatch("b2", "S", 4), CreateBatch("b3", "S", 1))
    subject.commit(Allocate("o1", "S", 5), Allocate("o2", "S", 4), Allocate("o3", "S", 1))
    previewed = results.preview(subject.bus.preview(ChangeBatchQuantity("b1", 2)))
    assert [(line["orderid"], line["status"], line["batchref"], line["lost"]) for line in previewed["lines"]] == [
        ("o3", "allocated", "b1", None),
        ("o2", "allocated", "b2", "b1"),
        ("o1", "waiting", None, "b1"),
    ]
    assert [(batch["ref"], batch["available"]) for batch in previewed["batches"]] == [("b1", 1), ("b2", 0)]


@stores_that_keep_waiting_lines
def test_a_preview_of_a_repeated_command_shows_no_change(subject: Subject) -> None:
    subject.commit(CreateBatch("b0", "S", 2), CreateBatch("b1", "S", 5), Allocate("o1", "S", 5))
    [line] = results.preview(subject.bus.preview(Allocate("o1", "S", 5)))["lines"]
    assert (line["status"], line["batchref"], line["lost"], line["why"]) == ("allocated", "b1", None, None)
    previewed = results.preview(subject.bus.preview(CreateBatch("b1", "S", 5)))
    assert previewed["lines"] == []
    assert [(batch["ref"], batch["available"]) for batch in previewed["batches"]] == [("b1", 0)]


@stores_that_keep_waiting_lines
def test_a_preview_of_deallocate_shows_the_line_losing_its_batch(subject: Subject) -> None:
    subject.commit(CreateBatch("b1", "S", 5), Allocate("o1", "S", 5), Allocate("o2", "S", 5))
    lines = results.preview(subject.bus.preview(Deallocate("o1", "S")))["lines"]
    assert [(line["orderid"], line["status"], line["batchref"], line["lost"]) for line in lines] == [
        ("o1", "deallocated", None, "b1"),
        ("o2", "allocated", "b1", None),
    ]

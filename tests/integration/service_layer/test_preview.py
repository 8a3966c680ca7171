"""A preview foretells its command, and leaves no trace."""

import random
from collections.abc import Iterator
from typing import Any

from redis import Redis
from sqlalchemy import Engine, text

from allocation.adapters.schemas import results
from allocation.domain.commands import Allocate, ChangeBatchQuantity, Command, CreateBatch, Deallocate
from allocation.domain.errors import Refusal
from allocation.service_layer.messagebus import MessageBus
from readmodel.store.store import Store
from readmodel.views import batches, orders
from tests.support.random_commands import random_commands
from tests.support.subjects import Subject, stores_that_keep_waiting_lines

PREVIEWS = 500


def test_previews_leave_both_stores_as_they_were(
    projecting_bus: MessageBus, engine: Engine, model: Store, redis: Redis
) -> None:
    commands = random_commands(random.Random(1))
    for _ in range(300):
        outcome(projecting_bus, next(commands))
    before = fingerprints(engine), everything(redis)
    refused = sum(isinstance(preview(projecting_bus, command), str) for command in few(commands))
    assert (fingerprints(engine), everything(redis)) == before
    assert 0 < refused < PREVIEWS, "both kinds were tried"


def test_previews_say_what_their_commands_do(projecting_bus: MessageBus, model: Store) -> None:
    commands = random_commands(random.Random(2))
    lines, lost = 0, 0
    before: dict[tuple[str, str], int] = {}
    for command in few(commands):
        foreseen = preview(projecting_bus, command)
        done = outcome(projecting_bus, command)
        if isinstance(foreseen, str):
            assert foreseen == done
            continue
        assert foreseen["answer"] == done
        for line in foreseen["lines"]:
            shown = shown_line(model, line["orderid"], line["sku"])
            if shown["version"] == before.get((line["orderid"], line["sku"])):
                shown["why"] = None  # It was decided earlier.
            assert shown == line | {"version": shown["version"], "lost": None}
            before[line["orderid"], line["sku"]] = shown["version"]
            lines += 1
            lost += line["lost"] is not None
        for batch in foreseen["batches"]:
            assert model.read(lambda snapshot, ref=batch["ref"]: batches.batch(snapshot, ref)) == batch  # type: ignore[misc]
    assert lines > lost > 0


def few(commands: Iterator[Command]) -> Iterator[Command]:
    return (next(commands) for _ in range(PREVIEWS))


def preview(bus: MessageBus, command: Command) -> dict[str, Any] | str:
    try:
        return results.preview(bus.preview(command))
    except Refusal as refusal:
        return repr(refusal)


def outcome(bus: MessageBus, command: Command) -> object:
    try:
        result = bus.handle(command)
        return "OK" if result is None else results.order_outcome(result)
    except Refusal as refusal:
        return repr(refusal)


def shown_line(model: Store, orderid: str, sku: str) -> dict[str, Any]:
    """The line as the views explain it, in the shape of a preview."""
    order = model.read(lambda snapshot: orders.order(snapshot, orderid, explain=True))
    assert order is not None
    [line] = [line for line in order["lines"] if line["sku"] == sku]
    return dict(line) | {"orderid": orderid, "lost": None}


def fingerprints(engine: Engine) -> dict[str, object]:
    """Of every table, and of every sequence."""
    with engine.connect() as connection:
        tables = connection.execute(text("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 2200"))
        query = "SELECT count(*), md5(string_agg(CAST(row AS text), ',' ORDER BY CAST(row AS text))) FROM {} AS row"
        found: dict[str, object] = {
            name: tuple(connection.execute(text(query.format(name))).one()) for name in tables.scalars()
        }
        sequences = connection.execute(text("SELECT sequencename, last_value FROM pg_sequences"))
        return found | {"sequences": [tuple(row) for row in sequences]}


def everything(redis: Redis) -> dict[str, object]:
    kinds: dict[object, Any] = {"string": redis.get, "hash": redis.hgetall}
    return {str(key): kinds[redis.type(key)](key) for key in redis.scan_iter()}


@stores_that_keep_waiting_lines
def test_it_says_who_would_lose_a_batch_and_where_they_would_go(subject: Subject) -> None:
    subject.commit(CreateBatch("b1", "S", 10), CreateBatch("b2", "S", 4), CreateBatch("b3", "S", 1))
    subject.commit(Allocate("o1", "S", 5), Allocate("o2", "S", 4), Allocate("o3", "S", 1))
    foreseen = results.preview(subject.bus.preview(ChangeBatchQuantity("b1", 2)))
    assert [(line["orderid"], line["status"], line["batchref"], line["lost"]) for line in foreseen["lines"]] == [
        ("o3", "allocated", "b1", None),
        ("o2", "allocated", "b2", "b1"),
        ("o1", "waiting", None, "b1"),
    ]
    assert [(batch["ref"], batch["available"]) for batch in foreseen["batches"]] == [("b1", 1), ("b2", 0)]


@stores_that_keep_waiting_lines
def test_what_was_done_before_is_told_as_it_is(subject: Subject) -> None:
    subject.commit(CreateBatch("b0", "S", 2), CreateBatch("b1", "S", 5), Allocate("o1", "S", 5))
    [line] = results.preview(subject.bus.preview(Allocate("o1", "S", 5)))["lines"]
    assert (line["status"], line["batchref"], line["lost"], line["why"]) == ("allocated", "b1", None, None)
    foreseen = results.preview(subject.bus.preview(CreateBatch("b1", "S", 5)))
    assert foreseen["lines"] == []
    assert [(batch["ref"], batch["available"]) for batch in foreseen["batches"]] == [("b1", 0)]


@stores_that_keep_waiting_lines
def test_a_line_that_is_taken_back_loses_its_batch(subject: Subject) -> None:
    subject.commit(CreateBatch("b1", "S", 5), Allocate("o1", "S", 5), Allocate("o2", "S", 5))
    lines = results.preview(subject.bus.preview(Deallocate("o1", "S")))["lines"]
    assert [(line["orderid"], line["status"], line["batchref"], line["lost"]) for line in lines] == [
        ("o1", "deallocated", None, "b1"),
        ("o2", "allocated", "b1", None),
    ]

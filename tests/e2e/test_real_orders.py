"""Real order lines, of every tenth SKU: a plain-Python oracle, plain SQL and the views must agree on each of them."""

import csv
import gzip
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import cast
from zlib import crc32

import pytest
from sqlalchemy import Engine, text

from allocation.adapters.postgres.event_log import EventLog
from readmodel.projector.digest import digest
from readmodel.store.registers import state_of
from readmodel.store.store import Store
from tests.support.api import Api
from tests.support.eventually import eventually
from tests.support.paths import REAL_ORDERS
from tests.support.processes import allocation, running
from tests.support.services import web

NAMES = ("batches.csv", "orders.csv")

pytestmark = pytest.mark.skipif(not REAL_ORDERS.exists(), reason="the data set is not here")

Lines = dict[tuple[str, str], str | None]
"""(orderid, sku) → its batch, or None where it waits."""


def rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(newline="") as file:
        yield from csv.DictReader(file)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Whole SKUs, so that they run short as they did; a tenth of them, so that the suite is done in time."""
    for name in NAMES:
        with (
            gzip.open(REAL_ORDERS / f"{name}.gz", "rt", newline="") as given,
            (tmp_path / name).open("w", newline="") as taken,
        ):
            reader = csv.reader(given)
            writer = csv.writer(taken)
            writer.writerow(next(reader))
            writer.writerows(row for row in reader if crc32(row[1].encode()) % 10 == 0)
    return tmp_path


def oracle(batches: Path, orders: Path) -> Lines:
    """The rules again, from the CSV alone: the first batch by ETA (none is first) and reference that has enough."""
    refs, left = defaultdict(list), {}
    for row in sorted(rows(batches), key=lambda row: (row["eta"], row["ref"])):
        refs[row["sku"]].append(row["ref"])
        left[row["ref"]] = int(row["qty"])
    lines: Lines = {}
    for row in rows(orders):
        qty = int(row["qty"])
        chosen = next((ref for ref in refs[row["sku"]] if left[ref] >= qty), None)
        if chosen is not None:
            left[chosen] -= qty
        lines[row["orderid"], row["sku"]] = chosen
    return lines


def in_the_database(engine: Engine) -> Lines:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT orderid, sku, batchref FROM order_lines"))
        return {(row.orderid, row.sku): row.batchref for row in rows}


def in_the_views(store: Store) -> Lines:
    live = store.generations().live
    lines: Lines = {}
    for key in store.redis.scan_iter(f"{live}:*:order:*", count=1_000):
        orderid = key.split(":", 3)[3]
        for sku, register in cast("dict[str, str]", store.redis.hgetall(key)).items():
            lines[orderid, sku] = state_of(register)["batchref"]
    return lines


@pytest.mark.timeout(280)
def test_every_line_gets_what_the_rules_say(
    folder: Path, model: Store, engine: Engine, environment: dict[str, str]
) -> None:
    batches, orders = (folder / name for name in NAMES)
    with running("relay", environment), web({"REDIS_URL": environment["REDIS_URL"]}, "queries") as port:
        load = allocation(f"load --batches {batches} --orders {orders}", environment, stderr=subprocess.DEVNULL)
        assert load.wait(250) == 0
        expected = oracle(batches, orders)
        assert in_the_database(engine) == expected
        no_batch_is_over_its_quantity(engine)
        live = model.generations().live or ""
        with engine.connect() as connection:
            last = connection.execute(text("SELECT max(position) FROM events")).scalar_one()
        identity = EventLog(engine).identity()
        eventually(lambda: (model.cursor(live, identity) or 0) >= last, within=60)
        assert in_the_views(model) == expected
        assert len(expected) > 40_000
        assert None in expected.values(), "some wait"
        a_rebuild_gives_the_same_views_while_queries_are_answered(model, environment, port, expected)


def no_batch_is_over_its_quantity(engine: Engine) -> None:
    with engine.connect() as connection:
        wrong = connection.execute(
            text("""
                SELECT count(*) FROM batches
                LEFT JOIN (SELECT batchref AS ref, sum(qty) AS qty FROM order_lines GROUP BY 1) AS lines USING (ref)
                WHERE allocated <> coalesce(lines.qty, 0) OR allocated > purchased
            """)
        ).scalar_one()
    assert wrong == 0


def a_rebuild_gives_the_same_views_while_queries_are_answered(
    model: Store, environment: dict[str, str], port: int, expected: Lines
) -> None:
    before, live = digest(model.redis, model.generations().live or ""), model.generations().live
    (orderid, sku), batchref = next(line for line in expected.items() if line[1])
    api, answers = Api(port), 0
    rebuild = allocation("rebuild", environment, stderr=subprocess.DEVNULL)
    while rebuild.poll() is None:
        answer = api.allocations(orderid)
        assert answer.status == 200
        assert {"sku": sku, "batchref": batchref} in answer.json
        answers += 1
    api.connection.close()
    assert rebuild.returncode == 0
    assert answers > 100
    assert model.generations().live != live
    assert digest(model.redis, model.generations().live or "") == before

"""Real order lines: an oracle in plain Python, plain SQL and the views must agree on every line."""

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
from readmodel.store.store import Store
from readmodel.views.orders import decode_line
from tests.support.api import Api
from tests.support.e2e.database import scalar
from tests.support.e2e.rebuilds import start_rebuild
from tests.support.eventually import eventually
from tests.support.paths import REAL_ORDERS
from tests.support.processes import allocation, running
from tests.support.services import web

NAMES = ("batches.csv", "orders.csv")

pytestmark = pytest.mark.skipif(not REAL_ORDERS.exists(), reason="The data set is not on this machine")

Lines = dict[tuple[str, str], str | None]
"""Maps (order id, SKU) to the reference of the line's batch, or to None if the line waits."""


@pytest.mark.parametrize(
    ("share", "least_lines"),
    [
        pytest.param(30, 15_000, id="every 30th SKU"),
        pytest.param(1, 500_000, id="every SKU", marks=[pytest.mark.slow, pytest.mark.timeout(0)]),
    ],
)
def test_every_real_line_gets_the_batch_that_the_rules_demand(
    share: int, least_lines: int, tmp_path: Path, model: Store, engine: Engine, environment: dict[str, str]
) -> None:
    batches, orders = copy_data(tmp_path, share)
    with running("relay", environment), web({"REDIS_URL": environment["REDIS_URL"]}, "queries") as port:
        load = allocation(f"load --batches {batches} --orders {orders}", environment, stderr=subprocess.DEVNULL)
        assert load.wait() == 0
        expected = oracle(batches, orders)
        assert lines_in_database(engine) == expected
        assert_no_batch_has_too_many_lines(engine)
        assert_the_relay_reaches_the_end(model, engine)
        assert lines_in_views(model) == expected
        assert len(expected) > least_lines
        assert None in expected.values(), "no line waits"
        assert_a_rebuild_changes_nothing_while_queries_succeed(model, environment, port, expected)


def copy_data(folder: Path, share: int) -> list[Path]:
    """Copy the rows of every `share`th SKU. Return the paths of the batches and the orders.

    They are whole SKUs, so that the stock runs short as it really did.
    """
    for name in NAMES:
        with (
            gzip.open(REAL_ORDERS / f"{name}.gz", "rt", newline="") as source,
            (folder / name).open("w", newline="") as target,
        ):
            reader = csv.reader(source)
            writer = csv.writer(target)
            writer.writerow(next(reader))
            writer.writerows(row for row in reader if crc32(row[1].encode()) % share == 0)
    return [folder / name for name in NAMES]


def rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(newline="") as file:
        yield from csv.DictReader(file)


def oracle(batches: Path, orders: Path) -> Lines:
    """Apply the rules to the CSV files alone: the first batch with enough stock, by ETA (none first) and reference."""
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


def lines_in_database(engine: Engine) -> Lines:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT orderid, sku, batchref FROM order_lines"))
        return {(row.orderid, row.sku): row.batchref for row in rows}


def lines_in_views(store: Store) -> Lines:
    live = store.generations().live
    lines: Lines = {}
    for key in store.redis.scan_iter(f"{live}:*:order:*", count=1_000):
        orderid = key.split(":", 3)[3]
        for sku, register in cast("dict[str, str]", store.redis.hgetall(key)).items():
            lines[orderid, sku] = decode_line(sku, register)["batchref"]
    return lines


def assert_no_batch_has_too_many_lines(engine: Engine) -> None:
    query = """
        SELECT count(*) FROM batches
        LEFT JOIN (SELECT batchref AS ref, sum(qty) AS qty FROM order_lines GROUP BY 1) AS lines USING (ref)
        WHERE allocated <> coalesce(lines.qty, 0) OR allocated > purchased
    """
    assert scalar(engine, query) == 0


def assert_the_relay_reaches_the_end(model: Store, engine: Engine) -> None:
    live, identity = model.generations().live or "", EventLog(engine).identity()
    last = scalar(engine, "SELECT max(position) FROM events")
    eventually(lambda: (model.cursor(live, identity) or 0) >= last)


def assert_a_rebuild_changes_nothing_while_queries_succeed(
    model: Store, environment: dict[str, str], port: int, expected: Lines
) -> None:
    (orderid, sku), batchref = next(line for line in expected.items() if line[1])
    before, api, answers = digest(model.redis, model.generations().live or ""), Api(port), 0
    while answers <= 100:
        live, rebuild = model.generations().live, start_rebuild(environment)
        while rebuild.poll() is None:
            answer = api.allocations(orderid)
            assert answer.status == 200
            assert {"sku": sku, "batchref": batchref} in answer.json
            answers += 1
        assert rebuild.returncode == 0
        assert model.generations().live != live
        assert digest(model.redis, model.generations().live or "") == before
    api.connection.close()

"""Real order lines: an oracle in plain Python, plain SQL, the views and the answers to queries must agree on them."""

import subprocess
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import Engine, text

from allocation.adapters.postgres.log.event_log import EventLog
from readmodel.projector.digest import digest
from readmodel.store.store import Store
from readmodel.views.orders import decode_line
from tests.support.api import Api
from tests.support.e2e.database import scalar
from tests.support.e2e.rebuilds import start_rebuild
from tests.support.eventually import eventually
from tests.support.paths import REAL_ORDERS
from tests.support.processes import allocation, running
from tests.support.real_orders.answers import Answers
from tests.support.real_orders.data import copy_data
from tests.support.real_orders.oracle import Lines, Shop, shop_of
from tests.support.services import web

pytestmark = pytest.mark.skipif(not REAL_ORDERS.exists(), reason="The data set is not on this machine")


@pytest.mark.parametrize(
    ("share", "order_share", "least_lines", "least_answers"),
    [
        pytest.param(30, 5, 15_000, 2_000, id="every 30th SKU", marks=pytest.mark.slow),
        pytest.param(1, 1, 500_000, 40_000, id="every SKU", marks=[pytest.mark.slow, pytest.mark.timeout(0)]),
    ],
)
def test_every_real_line_gets_the_batch_that_the_rules_demand(
    share: int,
    order_share: int,
    least_lines: int,
    least_answers: int,
    tmp_path: Path,
    model: Store,
    engine: Engine,
    environment: dict[str, str],
) -> None:
    batches, orders = copy_data(tmp_path, share)
    with running("relay", environment), web({"REDIS_URL": environment["REDIS_URL"]}, "queries") as port:
        load = allocation(f"load --batches {batches} --orders {orders}", environment, stderr=subprocess.DEVNULL)
        assert load.wait() == 0
        shop = shop_of(batches, orders)
        expected = shop.lines
        assert lines_in_database(engine) == expected
        assert_no_batch_has_too_many_lines(engine)
        assert_the_relay_reaches_the_end(model, engine)
        assert lines_in_views(model) == expected
        assert len(expected) > least_lines
        assert None in expected.values(), "no line waits"
        assert compared_answers(port, shop, order_share) > least_answers
        assert_a_rebuild_changes_nothing_while_queries_succeed(model, environment, port, expected)


def compared_answers(port: int, shop: Shop, order_share: int) -> int:
    """Compare the answers about all products, and about every `order_share`th order. Return their number."""
    api = Api(port)
    answers = Answers(api, shop)
    answers.compare_products()
    for product in shop.products.values():
        answers.compare_product(product)
    answers.compare_histories(list(shop.orders)[::order_share])
    api.connection.close()
    return answers.compared


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

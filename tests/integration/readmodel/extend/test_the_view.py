"""A reader who follows docs/extend.md gets a view that works."""

import json
import shlex

import pytest
from redis import Redis
from sqlalchemy import Engine

from allocation.adapters.postgres.log.event_log import EventLog
from allocation.event_handlers import PROJECTION
from readmodel.projector.rebuild import rebuild
from readmodel.store.errors import NeedsRebuild, UnknownFormat
from readmodel.store.formats import NEWEST
from readmodel.store.store import Store
from readmodel.views.products import products
from tests.support.documents.edits import examples_in
from tests.support.documents.stepwise import Stepwise
from tests.support.readmodel.verification import places

SERVICE = "http://127.0.0.1:5005"
SHIP_1 = {"eta": "2027-01-15", "ref": "ship-1", "sku": "S", "available": 20}
SHIP_2 = {"eta": "2027-02-15", "ref": "ship-2", "sku": "T", "available": 30}


@pytest.fixture
def stocked(service: Stepwise) -> Stepwise:
    """The service with two batches that arrive, one in the warehouse, and one that is used up."""
    add(service, "ship-2", "T", 30, "2027-02-15")
    add(service, "ship-1", "S", 20, "2027-01-15")
    add(service, "wh-1", "W", 10, None)
    add(service, "used", "U", 5, "2027-01-01")
    allocate(service, "U", 5)
    return service


def add(service: Stepwise, ref: str, sku: str, qty: int, eta: str | None) -> None:
    body = json.dumps({"ref": ref, "sku": sku, "qty": qty, "eta": eta})
    assert service.post("/add_batch", body).status == 201


def allocate(service: Stepwise, sku: str, qty: int) -> str:
    """Allocate a line and return the consistency token."""
    reply = service.post("/allocate", json.dumps({"orderid": "o1", "sku": sku, "qty": qty}))
    assert reply.status == 202
    return reply.headers["allocation-token"]


def arrivals(service: Stepwise) -> list[dict[str, object]]:
    reply = service.get("/arrivals")
    assert reply.status == 200, reply.body
    found: list[dict[str, object]] = reply.json["arrivals"]
    return found


def test_the_examples_of_the_document_have_its_answers(document: str, service: Stepwise) -> None:
    [examples] = examples_in(document)
    requests, answers = examples.splitlines()[::2], examples.splitlines()[1::2]
    for line, answer in zip(requests, answers, strict=True):
        _, url, *body = shlex.split(line)
        path = url.removeprefix(SERVICE)
        reply = service.post(path, body[1]) if body else service.get(path)
        assert f"# {reply.body.strip()}" == answer


@pytest.mark.slow
def test_the_fast_path_fills_the_new_view(stocked: Stepwise) -> None:
    assert arrivals(stocked) == [SHIP_1, SHIP_2]
    first = stocked.get("/arrivals?limit=1").json
    assert first["arrivals"] == [SHIP_1]
    assert stocked.get(f"/arrivals?limit=1&next={first['next']}").json == {"arrivals": [SHIP_2], "next": None}
    stocked.do("follow")
    stocked.do("compare_with_the_tables")


@pytest.mark.slow
def test_every_kind_of_event_changes_the_new_view(stocked: Stepwise) -> None:
    allocate(stocked, "S", 4)
    for path, body in {
        "/change_batch_eta": {"ref": "ship-2", "eta": "2027-01-02"},
        "/change_batch_quantity": {"ref": "used", "qty": 8},
        "/change_line_quantity": {"orderid": "o1", "sku": "S", "qty": 6},
        "/ship": {"orderid": "o1", "sku": "U"},
    }.items():
        assert stocked.post(path, json.dumps(body)).status == 202
    used = {"eta": "2027-01-01", "ref": "used", "sku": "U", "available": 3}
    assert arrivals(stocked) == [used, SHIP_2 | {"eta": "2027-01-02"}, SHIP_1 | {"available": 14}]
    assert stocked.post("/change_batch_eta", json.dumps({"ref": "ship-2", "eta": None})).status == 202
    assert stocked.post("/deallocate", json.dumps({"orderid": "o1", "sku": "S"})).status == 202
    assert arrivals(stocked) == [used, SHIP_1]
    stocked.do("follow")
    assert stocked.do("verify") == []


def test_the_relay_and_a_rebuild_create_the_same_view(service: Stepwise) -> None:
    service.do("execute_quietly", "add_batch", '{"ref": "ship-1", "sku": "S", "qty": 25, "eta": "2027-01-15"}')
    service.do("execute_quietly", "allocate", '{"orderid": "o1", "sku": "S", "qty": 5}')
    assert arrivals(service) == []
    by_the_relay = service.do("follow")
    assert arrivals(service) == [SHIP_1]
    assert service.do("rebuild", NEWEST + 1) == by_the_relay
    assert arrivals(service) == [SHIP_1]


@pytest.mark.slow
def test_a_query_with_a_token_waits_for_the_relay(stocked: Stepwise) -> None:
    token = allocate(stocked, "S", 4)
    assert stocked.get("/arrivals", **{"allocation-token": token}).status == 503
    stocked.do("follow")
    reply = stocked.get("/arrivals", **{"allocation-token": token})
    assert (reply.status, reply.json["arrivals"]) == (200, [SHIP_1 | {"available": 16}, SHIP_2])


def test_verify_finds_damages_and_repair_restores(stocked: Stepwise, redis: Redis) -> None:
    before = stocked.do("follow")
    assert stocked.do("verify") == []
    [lost] = map(str, redis.scan_iter("*:arrival:ship-1"))
    [changed] = map(str, redis.scan_iter("*:arrival:ship-2"))
    listed, stray = lost.replace("arrival:ship-1", "list:arrivals:"), '2020-01-01\0never\0001:2020-01-01 ["S",1]'
    redis.delete(lost)
    redis.hset(changed, "arrival", '999:2027-02-15 ["T",1]')
    redis.zadd(listed, {stray: 0})
    damages = [(lost, "arrival"), (changed, "arrival"), (listed, stray)]
    assert sorted(stocked.do("verify")) == sorted([key.partition(":")[2], field] for key, field in damages)
    assert stocked.do("repair") == before
    assert stocked.do("verify") == []
    assert arrivals(stocked) == [SHIP_1, SHIP_2]


@pytest.mark.slow
def test_both_releases_share_the_former_format(stocked: Stepwise, store: Store, engine: Engine) -> None:
    """This process has the former release: the repository without the edits."""
    stocked.do("rebuild", NEWEST)
    refused = stocked.get("/arrivals")
    assert (refused.status, refused.json["message"]) == (503, str(NeedsRebuild()))
    add(stocked, "ship-0", "S", 1, "2026-12-31")
    stocked.do("follow")
    assert stocked.do("verify") == []
    assert places(store, engine) == set()
    stocked.do("rebuild", NEWEST + 1)
    assert arrivals(stocked) == [SHIP_1 | {"eta": "2026-12-31", "ref": "ship-0", "available": 1}, SHIP_1, SHIP_2]


@pytest.mark.slow
def test_the_former_release_reports_the_new_format(stocked: Stepwise, store: Store, log: EventLog) -> None:
    with pytest.raises(UnknownFormat):
        store.read(lambda snapshot: snapshot.hashes())
    rebuild(store, log, PROJECTION)
    assert store.read(lambda snapshot: products(snapshot)).value["products"]
    assert stocked.get("/arrivals").json["message"] == str(NeedsRebuild())

"""The correlation id of a request is in the log, in its events, and in the messages that they cause."""

import json
from contextlib import ExitStack
from pathlib import Path

from redis import Redis
from sqlalchemy import Engine, text

from allocation.adapters.postgres.driver.engine import create_postgres_engine
from allocation.domain.commands import CreateBatch
from allocation.service_layer.messagebus import MessageBus
from readmodel.store.store import Store
from tests.support.adapters.mailserver import mail_server
from tests.support.api import Api
from tests.support.e2e.listener import Listener
from tests.support.e2e.logs import logging_process, logging_web
from tests.support.eventually import eventually

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


def ids_of_events(engine: Engine) -> list[str | None]:
    with engine.connect() as connection:
        return list(
            connection.execute(text("SELECT data ->> 'correlation_id' FROM events ORDER BY position")).scalars()
        )


def test_one_id_leads_from_the_request_to_the_mail(
    bus: MessageBus, model: Store, redis: Redis, engine: Engine, environment: dict[str, str], tmp_path: Path
) -> None:
    """One order has a line that gets a batch, and a line that waits. So it causes an announcement and a mail."""
    bus.handle(CreateBatch("b1", "S", 10))
    bus.handle(CreateBatch("b2", "T", 1))
    with ExitStack() as stack:
        mails = stack.enter_context(mail_server())
        listener = stack.enter_context(Listener(redis))
        variables = environment | {"SMTP_URL": mails.url}
        stack.enter_context(logging_process("relay", variables, tmp_path / "relay.log"))
        port, log = stack.enter_context(logging_web(environment, tmp_path / "serve.log"))
        api = Api(port)
        stack.callback(api.connection.close)
        order = {"orderid": "o1", "lines": [{"sku": "S", "qty": 1}, {"sku": "T", "qty": 5}]}
        answer = api.post("allocate_order", order, traceparent=TRACEPARENT, **{"X-Request-Id": "ignored"})
        assert (answer.status, answer.headers["x-request-id"]) == (202, TRACE)
        [mail] = eventually(lambda: mails.mails)
        [announcement] = eventually(lambda: listener.announcements)
    assert ids_of_events(engine) == [None, None, TRACE, TRACE]
    assert announcement == {"orderid": "o1", "sku": "S", "qty": 1, "batchref": "b1", "correlation_id": TRACE}
    assert mail.get_all("X-Correlation-Id") == [TRACE]
    [record] = log.records(correlation_id=TRACE)
    assert (record["message"], record["method"], record["path"]) == ("Answered a request", "POST", "/allocate_order")
    assert (record["status"], record["bytes"], record["process"]) == (202, len(answer.body), "serve")


def test_each_answer_has_an_id(shared_api: Api, shared_environment: dict[str, str]) -> None:
    """Also the answer to a bulk, to a refused request, and to a request that the edge does not know."""
    assert shared_api.get("health", "live").headers["x-request-id"]
    mine = {"X-Request-Id": "mine"}
    answers = [
        shared_api.request("GET", "/unknown", None, None, **mine),
        shared_api.request("GET", "/orders/none", None, None, **mine),
        shared_api.post("allocate", {}, **mine),
        shared_api.post("allocate", b"x" * 200_000, **mine),
        shared_api.post("commands", b"{}", "application/x-ndjson", **mine),
        shared_api.post("preview/ship", {"orderid": "o", "sku": "S"}, **mine),
    ]
    assert [answer.status for answer in answers] == [404, 404, 400, 413, 200, 404]
    assert {answer.headers["x-request-id"] for answer in answers} == {"mine"}


def test_a_repeated_command_keeps_the_id_of_the_first(shared_api: Api, shared_environment: dict[str, str]) -> None:
    """The second request has no event. All lines of a bulk share the id of their request."""
    batch = {"type": "add_batch", "ref": "ids", "sku": "IDS", "qty": 10}
    lines = [batch, {"type": "allocate", "orderid": "ids-1", "sku": "IDS", "qty": 1, "id": "k"}]
    body = b"\n".join(json.dumps(line).encode() for line in lines)
    for correlation_id in ("first", "second"):
        answer = shared_api.post("commands", body, "application/x-ndjson", **{"X-Request-Id": correlation_id})
        assert [json.loads(line)["status"] for line in answer.body.splitlines()] == [201, 202]
    engine = create_postgres_engine(shared_environment["DATABASE_URL"])
    with engine.connect() as connection:
        found = connection.execute(text("SELECT data ->> 'correlation_id' FROM events WHERE sku = 'IDS'")).scalars()
        assert list(found) == ["first", "first"]
    engine.dispose()


def test_a_message_passes_its_id_on(
    bus: MessageBus, model: Store, redis: Redis, engine: Engine, environment: dict[str, str], tmp_path: Path
) -> None:
    """A message without a valid id gets a new one. A refused message is logged with its id."""
    bus.handle(CreateBatch("b1", "S", 10))
    with logging_process("consumer", environment, tmp_path / "consumer.log") as log:
        eventually(lambda: redis.pubsub_numsub("change_batch_quantity")[0][1])
        for qty, member in ((9, {"correlation_id": "mine"}), (8, {"correlation_id": "not visible"}), (7, {})):
            redis.publish("change_batch_quantity", json.dumps({"batchref": "b1", "qty": qty, **member}))
        redis.publish("change_batch_quantity", json.dumps({"batchref": "none", "qty": 1, "correlation_id": "refused"}))
        [refused] = eventually(lambda: log.records(level="ERROR"))
    assert refused["correlation_id"] == "refused"
    _, first, second, third = ids_of_events(engine)
    assert first == "mine"
    assert second != third
    assert {len(second or ""), len(third or "")} == {32}

"""Idempotency keys in the header of a single command."""

import json

import pytest
from sqlalchemy import Engine, text

from tests.support.api import Api
from tests.support.e2e.media_types import PROBLEM
from tests.support.eventually import eventually
from tests.support.processes import running
from tests.support.services import web_with_time_outs


def test_a_key_returns_the_stored_answer_and_has_no_effect(shared_api: Api) -> None:
    """The order of the members and unknown members make no difference."""
    shared_api.add_batch("k-1", "K", 10)
    body = {"orderid": "k", "sku": "K", "qty": 4}
    assert shared_api.keyed("k1", "allocate", body).status == 202
    assert shared_api.post("deallocate", {"orderid": "k", "sku": "K"}).status == 202
    again = shared_api.keyed("k1", "allocate", dict(reversed(body.items())) | {"further": 1})
    assert (again.status, again.body) == (202, "OK")
    assert shared_api.get("orders", "k").json["lines"][0]["status"] == "deallocated"
    assert shared_api.allocate("k", "K", 4).status == 202, "a request without the key is another request"
    assert shared_api.get("orders", "k").json["lines"][0]["status"] == "allocated"


def test_a_key_returns_a_stored_refusal(shared_api: Api) -> None:
    body = {"orderid": "kr", "sku": "KR", "qty": 4}
    first = shared_api.keyed("kr1", "allocate", body)
    shared_api.add_batch("kr-1", "KR", 10)
    second = shared_api.keyed("kr1", "allocate", body)
    assert (first.status, first.json) == (second.status, second.json)
    assert first.json["message"] == "Invalid sku KR"
    whole = {"orderid": "kr", "lines": [{"sku": "KR", "qty": 11}], "all_or_nothing": True}
    first = shared_api.keyed("kr1", "allocate_order", whole)
    shared_api.add_batch("kr-2", "KR", 11)
    second = shared_api.keyed("kr1", "allocate_order", whole)
    assert (first.status, first.json) == (second.status, second.json) == (409, first.json)
    assert [line["sku"] for line in second.json["lines"]] == ["KR"]


def test_a_key_is_refused_with_another_body(shared_api: Api) -> None:
    shared_api.add_batch("kb-1", "KB", 10)
    assert shared_api.keyed("kb", "allocate", {"orderid": "kb", "sku": "KB", "qty": 4}).status == 202
    other = shared_api.keyed("kb", "allocate", {"orderid": "kb", "sku": "KB", "qty": 5})
    assert (other.status, other.content_type) == (422, PROBLEM)
    assert other.json["message"] == "The idempotency key kb was already used with a different body"
    elsewhere = shared_api.keyed("kb", "deallocate", {"orderid": "kb", "sku": "KB"})
    assert elsewhere.status == 202, "another route"
    of_another = {"orderid": "kb2", "sku": "KB", "qty": 5}
    assert shared_api.keyed("kb", "allocate", of_another).status == 422


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "é"], ids=["empty", "too long", "tab", "not ASCII"])
def test_a_bad_key_gets_a_400(shared_api: Api, key: str) -> None:
    answer = shared_api.keyed(key, "allocate", {"orderid": "bk", "sku": "BK", "qty": 4})
    assert (answer.status, answer.content_type) == (400, PROBLEM)
    assert "Idempotency-Key must be" in answer.json["message"]
    assert "printable ASCII" in answer.json["message"]


def test_a_repeated_key_gets_a_400(shared_api: Api) -> None:
    body = b'{"orderid": "rh", "sku": "RH", "qty": 1}'
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    keys = [("Idempotency-Key", "rh"), ("Idempotency-Key", "other")]
    shared_api.connection.putrequest("POST", "/allocate")
    for name, value in [*headers, *keys]:
        shared_api.connection.putheader(name, value)
    shared_api.connection.endheaders(body)
    response = shared_api.connection.getresponse()
    message = json.loads(response.read())["message"]
    assert (response.status, message) == (400, "The header Idempotency-Key occurs more than once")


@pytest.mark.slow
def test_a_key_gets_a_409_while_its_first_request_is_running(
    engine: Engine, environment: dict[str, str], relay: None
) -> None:
    body = {"orderid": "o1", "sku": "S", "qty": 1}
    first = "INSERT INTO idempotency_keys VALUES ('- /allocate', 'k1', 'x')"
    with engine.connect() as other, web_with_time_outs(environment, lock_timeout="100ms") as port:
        other.execute(text(first))
        api = Api(port)
        answer = api.keyed("k1", "allocate", body)
        assert (answer.status, answer.headers["retry-after"], answer.content_type) == (409, "1", PROBLEM)
        assert answer.json["message"] == "The first request with this idempotency key is still running"
        other.rollback()
        assert api.keyed("k1", "allocate", body).json["message"] == "Invalid sku S"
        api.connection.close()


def test_the_relay_deletes_old_keys_of_the_configured_age(engine: Engine, environment: dict[str, str]) -> None:
    old = "INSERT INTO idempotency_keys VALUES ('s', 'old', 'x', '{}', '[]', now() - interval '2 hours')"
    young = "INSERT INTO idempotency_keys VALUES ('s', 'young', 'x', '{}', '[]', now())"
    with engine.begin() as connection:
        connection.execute(text(old))
        connection.execute(text(young))
    with running("relay", environment | {"ALLOCATION_KEYS_KEPT": "3600"}):
        eventually(lambda: stored_keys(engine) == ["young"])


def stored_keys(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.execute(text("SELECT key FROM idempotency_keys")).scalars())

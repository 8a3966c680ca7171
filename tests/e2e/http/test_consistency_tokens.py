"""The answers to commands carry a consistency token, and queries check it."""

import pytest

from tests.support.api import Api

COMMANDS = {
    "add_batch": {"ref": "b2", "sku": "S", "qty": 5},
    "allocate": {"orderid": "o2", "sku": "S", "qty": 1},
    "deallocate": {"orderid": "o1", "sku": "S"},
    "change_line_quantity": {"orderid": "o1", "sku": "S", "qty": 2},
    "ship": {"orderid": "o1", "sku": "S"},
    "allocate_order": {"orderid": "o2", "lines": [{"sku": "S", "qty": 1}]},
    "cancel_order": {"orderid": "o1"},
    "change_batch_quantity": {"ref": "b1", "qty": 20},
    "change_batch_eta": {"ref": "b1", "eta": "2027-01-01"},
}


@pytest.fixture
def shop(api: Api) -> Api:
    api.add_batch("b1", "S", 10)
    api.allocate("o1", "S", 1)
    return api


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_answers_with_a_token(command: str, shop: Api) -> None:
    answer = shop.post(command, COMMANDS[command])
    token = answer.headers["allocation-token"]
    location = answer.headers["location"]
    assert shop.get_at_least(token, location).status == 200
    assert shop.request("GET", f"{location}?at_least={token}").status == 200
    repeated = shop.post(command, COMMANDS[command])
    assert repeated.status == answer.status
    assert shop.get_at_least(repeated.headers["allocation-token"], location).status == 200


def test_refused_command_has_no_token(shop: Api) -> None:
    assert "allocation-token" not in shop.allocate("o2", "GHOST", 1).headers
    assert "allocation-token" not in shop.post("preview/allocate", COMMANDS["allocate"]).headers


@pytest.mark.parametrize("path", ["/orders/o1", "/allocations/o1", "/products/S", "/batches/b1", "/orders/unknown"])
def test_bad_token_is_a_400_that_names_it(path: str, shop: Api) -> None:
    answer = shop.get_at_least("nonsense", path)
    assert answer.status == 400
    assert answer.json["message"].startswith("Allocation-Token must be a token")
    assert "'nonsense'" in answer.json["message"]
    answer = shop.request("GET", f"{path}?at_least=nonsense")
    assert answer.json["message"].startswith("at_least must be a token")

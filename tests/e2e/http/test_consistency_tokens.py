"""The answers to commands carry a consistency token, and queries check it."""

import pytest

from tests.support.api import Api

COMMANDS = (
    "add_batch",
    "allocate",
    "deallocate",
    "change_line_quantity",
    "ship",
    "allocate_order",
    "cancel_order",
    "change_batch_quantity",
    "change_batch_eta",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_answers_with_a_token(command: str, shared_api: Api) -> None:
    sku, ref, orderid = (f"{kind}-of-{command}" for kind in ("sku", "batch", "order"))
    shared_api.add_batch(ref, sku, 10)
    shared_api.allocate(orderid, sku, 1)
    body = {
        "sku": sku,
        "orderid": orderid,
        "ref": ref,
        "qty": 2,
        "eta": "2027-01-01",
        "lines": [{"sku": sku, "qty": 1}],
    }
    if command in {"add_batch", "allocate", "allocate_order"}:
        body |= {"ref": "new-batch", "orderid": f"new-{command}"}
    answer = shared_api.post(command, body)
    token, location = answer.headers["allocation-token"], answer.headers["location"]
    assert shared_api.get_at_least(token, location).status == 200
    assert shared_api.request("GET", f"{location}?at_least={token}").status == 200
    repeated = shared_api.post(command, body)
    assert repeated.status == answer.status
    assert shared_api.get_at_least(repeated.headers["allocation-token"], location).status == 200


@pytest.fixture
def shop(shared_api: Api) -> Api:
    shared_api.add_batch("ct-1", "S", 1_000)
    shared_api.allocate("o1", "S", 1)
    return shared_api


def test_refused_command_has_no_token(shop: Api) -> None:
    assert "allocation-token" not in shop.allocate("o2", "GHOST", 1).headers
    assert "allocation-token" not in shop.post("preview/allocate", {"orderid": "o2", "sku": "S", "qty": 1}).headers


@pytest.mark.parametrize("path", ["/orders/o1", "/allocations/o1", "/products/S", "/batches/ct-1", "/orders/unknown"])
def test_bad_token_is_a_400_that_names_it(path: str, shop: Api) -> None:
    answer = shop.get_at_least("nonsense", path)
    assert answer.status == 400
    assert answer.json["message"].startswith("Allocation-Token must be a token")
    assert "'nonsense'" in answer.json["message"]
    answer = shop.request("GET", f"{path}?at_least=nonsense")
    assert answer.json["message"].startswith("at_least must be a token")


def test_second_token_is_refused(shop: Api) -> None:
    """The query could not show that it has ignored one of them."""
    token = shop.allocate("o2", "S", 1).headers["allocation-token"]
    for answer in (
        shop.get_at_least(token, f"/orders/o1?at_least={token}"),
        shop.request("GET", f"/orders/o1?at_least={token}&at_least={token}"),
    ):
        assert (answer.status, answer.json["message"]) == (400, "A query may have one consistency token, not 2")

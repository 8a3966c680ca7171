"""The service reads idempotency keys that an older version stored.

If the service misread one, a client that repeats its command after an upgrade would get a wrong outcome.
"""

from datetime import date

import pytest
from sqlalchemy import Engine, text

from allocation.domain.commands import Allocate, AllocateOrder, Command, CreateBatch
from allocation.domain.errors import OrderShort, ShortLine
from allocation.domain.model import OrderLine
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.outcomes import Done, LineResult, OrderResult, Outcome
from allocation.service_layer.unit_of_work import StoreUnavailable
from tests.support.adapters.requests import keyed

ALLOCATE = Allocate("o1", "S", 4)
CREATE_BATCH = CreateBatch("b1", "S", 10)
CREATE_BATCH_WITH_ETA = CreateBatch("b1", "S", 10, date(2027, 1, 15))
ALLOCATE_ORDER = AllocateOrder("o1", (("S", 4), ("X", 1)))
ALL_OR_NOTHING = AllocateOrder("o1", (("S", 50),), all_or_nothing=True)
# The SHA-256 of the JSON text in the comment. These literals never change.
FINGERPRINTS: dict[Command, str] = {
    # ["Allocate",{"orderid":"o1","sku":"S","qty":4}]
    ALLOCATE: "5e5460d34499430a559c53e3c179081eb57836c658cc9adcb684398dd771c34d",
    # ["CreateBatch",{"ref":"b1","sku":"S","qty":10,"eta":null}]
    CREATE_BATCH: "60fadd58af8e8748d83b9ae5fb6d3382e79fa84b28277164a9d21783b1e4c4a2",
    # ["CreateBatch",{"ref":"b1","sku":"S","qty":10,"eta":"2027-01-15"}]
    CREATE_BATCH_WITH_ETA: "c588bf92c2ce40b542c635f990d59c088cfee6a34002d745423b3716ceab212d",
    # ["AllocateOrder",{"orderid":"o1","lines":[["S",4],["X",1]],"all_or_nothing":false}]
    ALLOCATE_ORDER: "672708d2cd72461ef4675eb32e38adcecfdafb3ac507eb4fb995e2e10e670755",
    # ["AllocateOrder",{"orderid":"o1","lines":[["S",50]],"all_or_nothing":true}]
    ALL_OR_NOTHING: "f8d07a91aa59d7bc6a7175c11836cd53893d6e37d453db682c4e50d3062082a3",
}

EMPTY_ANSWER = '{"answer": null}'
ANSWER = """{"answer": {"orderid": "o1", "lines": [
    {"sku": "S", "qty": 4, "status": "allocated", "batchref": "b1", "eta": null},
    {"sku": "X", "qty": 1, "message": "Invalid sku X", "status": "refused", "batchref": null, "eta": null}
]}}"""
REFUSAL = """{"refusal": "OrderShort", "members": {"orderid": "o1", "lines": [
    {"sku": "S", "qty": 50, "message": "No batch has 50 left"}
]}}"""
UNKNOWN_REFUSAL = '{"refusal": "Unheard", "members": {}}'


def store_key(engine: Engine, command: Command, outcome: str) -> None:
    """Insert key k1 with the command's fingerprint and outcome, as an older version of the service did."""
    with engine.begin() as connection:
        insert = text("""
            INSERT INTO idempotency_keys (scope, key, fingerprint, outcome, effects)
            VALUES ('- /allocate', 'k1', :fingerprint, CAST(:outcome AS json), '[]')
        """)
        connection.execute(insert, {"fingerprint": FINGERPRINTS[command], "outcome": outcome})


def repeat(bus: MessageBus, engine: Engine, command: Command) -> Outcome:
    """Send the command with key k1. Require that it changes nothing."""
    [outcome] = bus.handle_requests([keyed("k1", command)])
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM events")).scalar_one() == 0
    return outcome


@pytest.mark.parametrize("command", FINGERPRINTS, ids=lambda command: type(command).__name__)
def test_service_recognises_a_stored_fingerprint(command: Command, bus: MessageBus, engine: Engine) -> None:
    store_key(engine, command, EMPTY_ANSWER)
    assert repeat(bus, engine, command) == Done()


def test_service_reads_a_stored_answer(bus: MessageBus, engine: Engine) -> None:
    store_key(engine, ALLOCATE_ORDER, ANSWER)
    allocated = LineResult(OrderLine("o1", "S", 4), "allocated", "b1")
    refused = LineResult(OrderLine("o1", "X", 1), "refused", reason="Invalid sku X")
    assert repeat(bus, engine, ALLOCATE_ORDER) == Done(OrderResult("o1", [allocated, refused]))


def test_service_reads_a_stored_refusal(bus: MessageBus, engine: Engine) -> None:
    store_key(engine, ALL_OR_NOTHING, REFUSAL)
    outcome = repeat(bus, engine, ALL_OR_NOTHING)
    assert isinstance(outcome, OrderShort)
    assert outcome.orderid == "o1"
    assert outcome.lines == [ShortLine(OrderLine("o1", "S", 50), "No batch has 50 left")]


def test_refusal_of_a_newer_service_fails_only_its_own_command(bus: MessageBus, engine: Engine) -> None:
    bus.handle(CreateBatch("b1", "S", 10))
    newer = keyed("k1", Allocate("o1", "X", 1))
    list(bus.handle_requests([newer]))
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE idempotency_keys SET outcome = CAST(:outcome AS json)"), {"outcome": UNKNOWN_REFUSAL}
        )
    found = [type(outcome) for outcome in bus.handle_requests([keyed("k2", ALLOCATE), newer])]
    assert found == [Done, StoreUnavailable]

"""The audit finds no breach in a sound database, and finds each breach that a test causes."""

from datetime import date

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, text

from allocation.adapters.postgres.checks.audit import BREACHES, audit
from allocation.domain.commands import (
    Allocate,
    AllocateOrder,
    CancelOrder,
    ChangeBatchQuantity,
    ChangeLineQuantity,
    Command,
    CreateBatch,
    Ship,
)
from allocation.entrypoints.cli.exits import Exit
from allocation.entrypoints.cli.main import main
from allocation.entrypoints.http.idempotency_keys import key_of
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.outcomes import Done

HISTORY: list[Command] = [
    CreateBatch("b1", "S", 10),
    CreateBatch("b2", "S", 20, date(2027, 1, 15)),
    CreateBatch("b3", "T", 5),
    AllocateOrder("o1", (("S", 4), ("T", 2))),
    Allocate("o2", "S", 3),
    Allocate("o3", "S", 90),
    Allocate("o4", "S", 91),
    Ship("o1", "S"),
    ChangeBatchQuantity("b1", 6),
    ChangeLineQuantity("o2", "S", 5),
    Allocate("o5", "T", 1),
    CancelOrder("o5"),
]

DROP_CONSTRAINTS = """
    DO $$ DECLARE item record; BEGIN
        FOR item IN SELECT conname, conrelid::regclass AS owner FROM pg_constraint
                     WHERE connamespace = 'public'::regnamespace AND contype IN ('c', 'f', 'p', 'u')
                     ORDER BY contype <> 'f' LOOP
            EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', item.owner, item.conname);
        END LOOP;
    END $$
"""

# For each invariant of the audit, a statement that breaks it.
BREACHING_STATEMENTS = {
    "a batch's allocated units are between zero and its quantity": """
        UPDATE batches SET allocated = 21 WHERE ref = 'b2'
    """,
    "a batch's shipped units are between zero and its allocated units": """
        UPDATE batches SET shipped = allocated + 1 WHERE ref = 'b3'
    """,
    "a batch's allocated and shipped units equal the units of its lines": """
        UPDATE order_lines SET qty = 2 WHERE (orderid, sku) = ('o1', 'S')
    """,
    "a line has a batch of its SKU if it is allocated or shipped, and otherwise no batch": """
        UPDATE order_lines SET batchref = 'b3' WHERE (orderid, sku) = ('o1', 'S')
    """,
    "an order has at most one line per SKU": """
        INSERT INTO order_lines SELECT * FROM order_lines WHERE (orderid, sku) = ('o3', 'S')
    """,
    "the quantity of every line is above zero": "UPDATE order_lines SET qty = 0 WHERE orderid = 'o5'",
    "no two waiting lines of a SKU have the same place on the waiting list": """
        UPDATE order_lines SET arrived = (SELECT arrived FROM order_lines WHERE orderid = 'o4') WHERE orderid = 'o3'
    """,
    "no waiting line fits on a batch of its SKU": "UPDATE batches SET purchased = 200 WHERE ref = 'b2'",
    "a product's available units equal the available units of its batches": """
        UPDATE products SET available = 0 WHERE sku = 'T'
    """,
    "a product's totals of waiting lines and units equal those of its lines": """
        UPDATE products SET waiting_units = waiting_units + 1 WHERE sku = 'S'
    """,
    "a product's events have every version from 1 to the product's version": """
        DELETE FROM events WHERE (sku, version) = ('S', 4)
    """,
    "the log has the events of a product in the order of their versions": """
        UPDATE events SET version = 7 - version WHERE sku = 'S' AND version IN (3, 4)
    """,
    "every transaction marks its last event in the log, and no other event": """
        UPDATE events SET last = false WHERE (sku, version) = ('T', 1)
    """,
    "a line has the state that its last event describes": "DELETE FROM order_lines WHERE orderid = 'o5'",
    "a batch has the state that its last event describes": """
        UPDATE batches SET eta = '2027-05-05' WHERE ref = 'b1'
    """,
    "a product has the version and the totals of its last event": """
        UPDATE products SET version = version + 1 WHERE sku = 'T'
    """,
    "every idempotency key has an outcome and its event ranges": "UPDATE idempotency_keys SET outcome = NULL",
}


@pytest.fixture
def database(bus: MessageBus, engine: Engine) -> Engine:
    """A database with allocated, waiting, shipped, displaced and cancelled lines, and one idempotency key."""
    assert {type(outcome) for outcome in bus.handle_all(HISTORY)} == {Done}
    last = Allocate("o6", "S", 1)
    bus.handle(last, key_of("- /allocate", "k1", last))
    return engine


def breaches_of(engine: Engine) -> dict[str, tuple[int, str | None]]:
    return {finding.invariant: finding[1:] for finding in audit(engine) if finding.breaches}


def test_audit_finds_no_breach_in_a_sound_database(database: Engine) -> None:
    assert breaches_of(database) == {}


@pytest.mark.parametrize("invariant", BREACHES)
def test_audit_finds_a_breach_of_each_invariant(invariant: str, database: Engine) -> None:
    with database.begin() as connection:
        connection.execute(text(DROP_CONSTRAINTS))
        assert connection.execute(text(BREACHING_STATEMENTS[invariant])).rowcount > 0
    found = breaches_of(database)
    assert invariant in found
    breaches, example = found[invariant]
    assert breaches > 0
    assert example is not None


def test_audit_command_prints_each_result_and_fails_on_a_breach(
    database: Engine, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    sound = CliRunner().invoke(main, ["audit"])
    assert sound.exit_code == 0
    assert sound.output.splitlines() == [f"{invariant}: ok" for invariant in BREACHES]
    with database.begin() as connection:
        connection.execute(text("UPDATE products SET available = available + 1"))
    unsound = CliRunner().invoke(main, ["audit"])
    assert unsound.exit_code == Exit.TROUBLE
    breached = "a product's available units equal the available units of its batches"
    assert f"{breached}: 2 breaches, for example S" in unsound.output.splitlines()
    assert "Error: Broken invariants: 2. " in unsound.output

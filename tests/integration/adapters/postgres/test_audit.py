"""The audit finds nothing in a sound database, and every breach in one that is broken on purpose."""

from datetime import date

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, text

from allocation.adapters.postgres.audit import BREACHES, audit
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

UNGUARD = """
    DO $$ DECLARE guard record; BEGIN
        FOR guard IN SELECT conname, conrelid::regclass AS owner FROM pg_constraint
                     WHERE connamespace = 'public'::regnamespace AND contype IN ('c', 'f', 'p', 'u')
                     ORDER BY contype <> 'f' LOOP
            EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', guard.owner, guard.conname);
        END LOOP;
    END $$
"""

BREAKS = {
    "no batch gives more than it has, or less than nothing": "UPDATE batches SET allocated = 21 WHERE ref = 'b2'",
    "no batch has shipped what was not allocated": "UPDATE batches SET shipped = allocated + 1 WHERE ref = 'b3'",
    "what a batch has allocated and shipped is what the lines on it say": """
        UPDATE order_lines SET qty = 2 WHERE (orderid, sku) = ('o1', 'S')
    """,
    "a line is allocated or shipped if it is on a batch, of its own sku": """
        UPDATE order_lines SET batchref = 'b3' WHERE (orderid, sku) = ('o1', 'S')
    """,
    "an order has one line of a sku": """
        INSERT INTO order_lines SELECT * FROM order_lines WHERE (orderid, sku) = ('o3', 'S')
    """,
    "every quantity of a line is above zero": "UPDATE order_lines SET qty = 0 WHERE orderid = 'o5'",
    "no two waiting lines have the same place": """
        UPDATE order_lines SET arrived = (SELECT arrived FROM order_lines WHERE orderid = 'o4') WHERE orderid = 'o3'
    """,
    "no line waits that would fit": "UPDATE batches SET purchased = 200 WHERE ref = 'b2'",
    "a product's available units are those of its batches": "UPDATE products SET available = 0 WHERE sku = 'T'",
    "a product's waiting lines and units are those of its lines": """
        UPDATE products SET waiting_units = waiting_units + 1 WHERE sku = 'S'
    """,
    "a product's versions have no gap": "DELETE FROM events WHERE (sku, version) = ('S', 4)",
    "a product's events stand in the log in the order of their versions": """
        UPDATE events SET version = 7 - version WHERE sku = 'S' AND version IN (3, 4)
    """,
    "every transaction of the log ends with its last event, and with no other": """
        UPDATE events SET last = false WHERE (sku, version) = ('T', 1)
    """,
    "a line is what its last event says": "DELETE FROM order_lines WHERE orderid = 'o5'",
    "a batch is what its last event says": "UPDATE batches SET eta = '2027-05-05' WHERE ref = 'b1'",
    "a product is what its last event says": "UPDATE products SET version = version + 1 WHERE sku = 'T'",
    "every idempotency key has its outcome": "UPDATE idempotency_keys SET outcome = NULL",
}


@pytest.fixture
def lived_in(bus: MessageBus, engine: Engine) -> Engine:
    assert {type(outcome) for outcome in bus.handle_all(HISTORY)} == {Done}
    last = Allocate("o6", "S", 1)
    bus.handle(last, key_of("- /allocate", "k1", last))
    return engine


def broken(engine: Engine) -> dict[str, tuple[int, str | None]]:
    return {finding.invariant: finding[1:] for finding in audit(engine) if finding.breaches}


def test_a_sound_database_has_no_breach(lived_in: Engine) -> None:
    assert broken(lived_in) == {}


@pytest.mark.parametrize("invariant", BREACHES)
def test_a_breach_is_found(invariant: str, lived_in: Engine) -> None:
    with lived_in.begin() as connection:
        connection.execute(text(UNGUARD))
        assert connection.execute(text(BREAKS[invariant])).rowcount > 0
    found = broken(lived_in)
    assert invariant in found
    breaches, example = found[invariant]
    assert breaches > 0
    assert example is not None


def test_it_prints_every_invariant_with_its_count_and_fails_on_a_breach(
    lived_in: Engine, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    sound = CliRunner().invoke(main, ["audit"])
    assert sound.exit_code == 0
    assert [line.split(" against: ") for line in sound.output.splitlines()] == [
        [f"{0:>9}", invariant] for invariant in BREACHES
    ]
    with lived_in.begin() as connection:
        connection.execute(text("UPDATE products SET available = available + 1"))
    unsound = CliRunner().invoke(main, ["audit"])
    assert unsound.exit_code == 1
    assert "        2 against: a product's available units are those of its batches (for example S)" in unsound.output
    assert "Error: 2 of the invariants are broken" in unsound.output

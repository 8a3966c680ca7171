"""Idempotency keys on PostgreSQL.

A transaction locks its keys before anything else. It stores their outcomes together with the changes of the commands.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from psycopg2.errors import LockNotAvailable
from sqlalchemy import Engine

from allocation.adapters.postgres import statements
from allocation.adapters.postgres.driver.arrays import arrays
from allocation.adapters.postgres.driver.errors import translated_errors
from allocation.adapters.postgres.driver.transaction import PostgresTransaction, open_transaction
from allocation.adapters.schemas import outcomes
from allocation.domain.errors import Refusal
from allocation.service_layer.idempotency import EventRange, IdempotencyKey, KeyReused, StillRunning
from allocation.service_layer.outcomes import Done
from allocation.service_layer.unit_of_work import LockWait, RetryableError

KEY_COLUMNS = ("scope", "key", "fingerprint")
OUTCOME_COLUMNS = ("scope", "key", "outcome", "effects")
DELETED_AT_ONCE = 1_000

PrimaryKey = tuple[str, str]

# A transaction executes this statement before it locks anything else. So it never waits for a key while it holds a
# product. Keys that this transaction has inserted have no outcome.
LOCK_KEYS = """
    INSERT INTO idempotency_keys (scope, key, fingerprint)
    SELECT * FROM unnest(%(scope)s::text[], %(key)s::text[], %(fingerprint)s::text[])
                  AS new (scope, key, fingerprint)
    ORDER BY new.scope COLLATE "C", new.key COLLATE "C"
    ON CONFLICT DO NOTHING
"""

READ_OUTCOMES = """
    SELECT scope, key, fingerprint, outcome::text, effects::text
    FROM unnest(%(scope)s::text[], %(key)s::text[]) AS wanted (scope, key)
    JOIN idempotency_keys USING (scope, key)
"""

STORE_OUTCOMES = """
    UPDATE idempotency_keys SET outcome = new.outcome::json, effects = new.effects::json
    FROM unnest(%(scope)s::text[], %(key)s::text[], %(outcome)s::text[], %(effects)s::text[])
         AS new (scope, key, outcome, effects)
    WHERE idempotency_keys.scope = new.scope AND idempotency_keys.key = new.key
"""

DELETE_OLD_KEYS = """
    DELETE FROM idempotency_keys WHERE (scope, key) IN (
        SELECT scope, key FROM idempotency_keys WHERE created_at < now() - make_interval(secs => %(age)s)
        ORDER BY created_at LIMIT %(step)s FOR UPDATE SKIP LOCKED
    ) RETURNING key
"""


class StoredKey(NamedTuple):
    """A row of READ_OUTCOMES. `outcome` and `effects` are JSON, or None if this transaction has inserted the key."""

    scope: str
    key: str
    fingerprint: str
    outcome: Any
    effects: Any


class SqlIdempotencyKeys:
    """The locked keys of one unit of work.

    `found_events` holds the event ranges of each outcome that `find_outcome` has returned.
    """

    def __init__(self, transaction: PostgresTransaction, stored: Mapping[PrimaryKey, StoredKey]) -> None:
        self.found_events: list[EventRange] = []
        self._transaction = transaction
        self._stored = stored
        self._new_outcomes: list[tuple[str, str, str, str]] = []

    @property
    def has_new_outcomes(self) -> bool:
        return bool(self._new_outcomes)

    def find_outcome(self, key: IdempotencyKey) -> Done | Refusal | None:
        row = self._stored.get(key.primary_key)
        if row is None:
            return None
        if row.fingerprint != key.fingerprint:
            raise KeyReused(key)
        self.found_events += (EventRange(*stored) for stored in orjson.loads(row.effects))
        return outcomes.from_json(orjson.loads(row.outcome))

    def store_outcome(self, key: IdempotencyKey, outcome: Done | Refusal, events: Sequence[EventRange]) -> None:
        effects = orjson.dumps(list(map(tuple, events))).decode()
        self._new_outcomes.append((*key.primary_key, outcomes.to_json(outcome), effects))

    def save(self) -> None:
        if self._new_outcomes:
            self._transaction.add(STORE_OUTCOMES, arrays(OUTCOME_COLUMNS, self._new_outcomes))


def lock_keys(transaction: PostgresTransaction, keys: Collection[IdempotencyKey], wait: LockWait) -> SqlIdempotencyKeys:
    """Lock the unused keys, and read the outcomes of the used keys, in one round trip.

    Raise StillRunning if another transaction holds a key for longer than `wait` allows. Raise RetryableError if a used
    key expires before this function reads its outcome.
    """
    found = insert_and_read(transaction, keys, wait) if keys else []
    if len(found) < len(keys):
        raise RetryableError("An idempotency key expired before its outcome was read")
    return SqlIdempotencyKeys(transaction, {(row.scope, row.key): row for row in found if row.outcome is not None})


def insert_and_read(
    transaction: PostgresTransaction, keys: Collection[IdempotencyKey], wait: LockWait
) -> list[StoredKey]:
    """Insert and thereby lock the keys that no command has used. Return all keys."""
    if wait in statements.WAITS:
        transaction.add(statements.limit_wait_for_keys(wait))
    rows = arrays(KEY_COLUMNS, [(key.scope, key.value, key.fingerprint) for key in keys])
    transaction.add(LOCK_KEYS, rows)
    try:
        return [StoredKey(*row) for row in transaction.query(READ_OUTCOMES, rows)]
    except LockNotAvailable as error:
        raise StillRunning("The first request with this idempotency key is still running") from error


def delete_old_keys(engine: Engine, age: float) -> int:
    """Delete up to DELETED_AT_ONCE keys that are older than `age` seconds, the oldest first. Return their number.

    Skip keys that another transaction has locked. Raise RetryableError or StoreUnavailable for the driver's errors.
    """
    with translated_errors(), open_transaction(engine) as opened:
        deleted = opened.query(DELETE_OLD_KEYS, {"age": age, "step": DELETED_AT_ONCE})
        opened.commit()
        return len(deleted)

"""Idempotency keys on PostgreSQL.

A transaction locks its keys before anything else. It stores their outcomes together with the changes of the commands.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, Row
from sqlalchemy.exc import DBAPIError

from allocation.adapters.postgres import statements
from allocation.adapters.postgres.driver.arrays import arrays
from allocation.adapters.postgres.driver.errors import LOCK_TIMEOUT, code_of, translated_errors
from allocation.adapters.schemas import outcomes
from allocation.domain.errors import Refusal
from allocation.service_layer.idempotency import EventRange, IdempotencyKey, KeyReused, StillRunning
from allocation.service_layer.outcomes import Done
from allocation.service_layer.unit_of_work import LockWait, RetryableError

KEY_COLUMNS = ("scope", "key", "fingerprint")
OUTCOME_COLUMNS = ("scope", "key", "outcome", "effects")
DELETED_AT_ONCE = 1_000

PrimaryKey = tuple[str, str]


class SqlIdempotencyKeys:
    """The locked keys of one unit of work.

    `found_events` holds the event ranges of each outcome that `find_outcome` has returned.
    """

    def __init__(self, connection: Connection, stored: Mapping[PrimaryKey, Row[Any]]) -> None:
        self.found_events: list[EventRange] = []
        self._connection = connection
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
        self.found_events += (EventRange(*stored) for stored in row.effects)
        return outcomes.from_json(row.outcome)

    def store_outcome(self, key: IdempotencyKey, outcome: Done | Refusal, events: Sequence[EventRange]) -> None:
        effects = orjson.dumps(list(map(tuple, events))).decode()
        self._new_outcomes.append((*key.primary_key, outcomes.to_json(outcome), effects))

    def save(self) -> None:
        if self._new_outcomes:
            self._connection.execute(statements.STORE_OUTCOMES, arrays(OUTCOME_COLUMNS, self._new_outcomes))


def lock_keys(connection: Connection, keys: Collection[IdempotencyKey], wait: LockWait) -> SqlIdempotencyKeys:
    """Lock the unused keys, and read the outcomes of the used keys.

    Raise StillRunning if another transaction holds a key for longer than `wait` allows. Raise RetryableError if a used
    key expires before this function reads its outcome.
    """
    new = insert_keys(connection, keys, wait) if keys else set()
    used = [key for key in keys if key.primary_key not in new]
    return SqlIdempotencyKeys(connection, read_outcomes(connection, used))


def insert_keys(connection: Connection, keys: Collection[IdempotencyKey], wait: LockWait) -> set[PrimaryKey]:
    """Insert and thereby lock the keys that no command has used. Return these keys.

    Raise StillRunning if another transaction holds a key for longer than `wait` allows.
    """
    rows = [(key.scope, key.value, key.fingerprint) for key in keys]
    try:
        new = connection.execute(statements.with_wait(statements.LOCK_KEYS, wait), arrays(KEY_COLUMNS, rows))
    except DBAPIError as error:
        if code_of(error) == LOCK_TIMEOUT:
            raise StillRunning("The first request with this idempotency key is still running") from error
        raise
    return {(row.scope, row.key) for row in new}


def read_outcomes(connection: Connection, keys: Sequence[IdempotencyKey]) -> dict[PrimaryKey, Row[Any]]:
    if not keys:
        return {}
    wanted = arrays(("scope", "key"), [key.primary_key for key in keys])
    found = {(row.scope, row.key): row for row in connection.execute(statements.READ_OUTCOMES, wanted)}
    if len(found) < len(keys):
        raise RetryableError("An idempotency key expired before its outcome was read")
    return found


def delete_old_keys(engine: Engine, age: float) -> int:
    """Delete up to DELETED_AT_ONCE keys that are older than `age` seconds, the oldest first. Return their number.

    Skip keys that another transaction has locked. Raise RetryableError or StoreUnavailable for the driver's errors.
    """
    with translated_errors(), engine.begin() as connection:
        deleted = connection.execute(statements.DELETE_OLD_KEYS, {"age": age, "step": DELETED_AT_ONCE})
        return deleted.rowcount

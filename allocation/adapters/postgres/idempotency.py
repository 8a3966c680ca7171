"""Idempotency keys on PostgreSQL: locked first of all, and stored with the command's own changes."""

from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, Row
from sqlalchemy.exc import DBAPIError

from allocation.adapters.postgres import statements
from allocation.adapters.postgres.driver.arrays import arrays
from allocation.adapters.postgres.driver.errors import LOCK_TIMEOUT, code_of, translated_errors
from allocation.domain.errors import Refusal
from allocation.service_layer.idempotency import Done, Effects, IdempotencyKey, KeyReused, StillRunning
from allocation.service_layer.unit_of_work import Patience, RetryableError, StoreUnavailable

KEY = ("scope", "key", "fingerprint")
OUTCOME = ("scope", "key", "outcome", "effects")
DELETED_AT_ONCE = 1_000


class SqlOutcomes:
    """Of one unit of work; belongs to its connection. `kept` is to be stored, `found` to be handed on again."""

    def __init__(self, connection: Connection, keys: Collection[IdempotencyKey], patience: Patience) -> None:
        self.found: list[Effects] = []
        self.kept: list[tuple[str, str, str, str]] = []
        self._connection = connection
        new = self._lock(keys, patience) if keys else set()
        self._earlier = self._read([key for key in keys if key.identity not in new])

    def earlier(self, key: IdempotencyKey) -> Done | Refusal | None:
        row = self._earlier.get(key.identity)
        if row is None:
            return None
        if row.fingerprint != key.fingerprint:
            raise KeyReused(key)
        self.found += (Effects(*effects) for effects in row.effects)
        return from_json(row.outcome)

    def keep(self, key: IdempotencyKey, outcome: Done | Refusal, effects: Sequence[Effects]) -> None:
        self.kept.append((*key.identity, as_json(outcome), orjson.dumps(list(map(tuple, effects))).decode()))

    def save(self) -> None:
        if self.kept:
            self._connection.execute(statements.KEEP_OUTCOMES, arrays(OUTCOME, self.kept))

    def _lock(self, keys: Collection[IdempotencyKey], patience: Patience) -> set[tuple[str, str]]:
        """Those that no command came with before."""
        rows = [(key.scope, key.value, key.fingerprint) for key in keys]
        try:
            if patience is Patience.NOT_FOR_KEYS:
                self._connection.execute(statements.DO_NOT_WAIT)
            lock = statements.locking(statements.LOCK_KEYS, patience)
            new = self._connection.execute(lock, arrays(KEY, rows))
            if patience is Patience.NOT_FOR_KEYS:
                self._connection.execute(statements.WAIT_AGAIN)
        except DBAPIError as error:
            if code_of(error) == LOCK_TIMEOUT:
                raise StillRunning("The first request with this idempotency key is still being handled") from error
            raise
        return {(row.scope, row.key) for row in new}

    def _read(self, keys: Sequence[IdempotencyKey]) -> dict[tuple[str, str], Row[Any]]:
        if not keys:
            return {}
        wanted = arrays(("scope", "key"), [key.identity for key in keys])
        found = {(row.scope, row.key): row for row in self._connection.execute(statements.READ_OUTCOMES, wanted)}
        if len(found) < len(keys):
            raise RetryableError("An idempotency key expired while it was looked for")
        return found


def delete_old_keys(engine: Engine, age: float) -> int:
    """Delete at most DELETED_AT_ONCE of the keys older than so many seconds, the oldest first; return their number."""
    with translated_errors(), engine.begin() as connection:
        wanted = {"age": age, "step": DELETED_AT_ONCE}
        return connection.execute(statements.DELETE_OLD_KEYS, wanted).rowcount


def as_json(outcome: Done | Refusal) -> str:
    if isinstance(outcome, Done):
        return orjson.dumps({"answer": outcome.answer}).decode()
    members = asdict(outcome)  # type: ignore[call-overload]  # Every refusal is a dataclass; a test says so.
    return orjson.dumps({"refusal": type(outcome).__name__, "members": members}).decode()


def from_json(stored: dict[str, Any]) -> Done | Refusal:
    if "answer" in stored:
        return Done(stored["answer"])
    kinds = {kind.__name__: kind for kind in Refusal.__subclasses__()}
    if stored["refusal"] not in kinds:
        raise StoreUnavailable(f"A newer process has to answer: it stored {stored['refusal']}")
    return kinds[stored["refusal"]](**stored["members"])

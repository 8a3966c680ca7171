"""Verifications of the whole views, in this process."""

from sqlalchemy import Engine

from allocation.adapters.postgres.checks.state import StateReader
from allocation.adapters.postgres.log.event_log import EventLog
from allocation.entrypoints.verification import Scope, Verification
from allocation.event_handlers import PROJECTION
from readmodel.projector.verification.verifier import Verifier
from readmodel.store.store import Store
from tests.support.readmodel.damages import Place


def verification(store: Store, engine: Engine, scope: Scope | None = None) -> Verification:
    return Verification(store, EventLog(engine), PROJECTION, StateReader(engine), scope or Scope())


def verifier(store: Store, engine: Engine) -> Verifier:
    return Verifier(store, EventLog(engine), PROJECTION, StateReader(engine))


def places(store: Store, engine: Engine, scope: Scope | None = None) -> set[Place]:
    return {(difference.key, difference.field) for difference in verification(store, engine, scope).differences()}

"""The one place where things are wired. Nothing here opens a connection."""

from collections.abc import Callable, Sequence
from functools import partial

from sqlalchemy import Engine

from allocation.adapters.unit_of_work import unit_of_work
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.unit_of_work import Message
from readmodel import fast_path
from readmodel.clients import client
from readmodel.fast_path import FastPath
from readmodel.store import Store

Committed = Callable[[Sequence[Message]], None]


def message_bus(engine: Engine, committed: Committed) -> MessageBus:
    """A bus over PostgreSQL. `committed` gets the events of each commit: the fast path, or nothing but the relay."""
    return MessageBus(partial(unit_of_work, engine), committed)


def update_views(redis_url: str) -> Committed:
    return FastPath(Store(client(redis_url, timeout=fast_path.TIMEOUT, retries=0)))


def leave_to_the_relay(events: Sequence[Message]) -> None:
    """For loads in bulk, where the relay's pages cost less than an update per commit."""

"""The one place where things are wired. Nothing here opens a connection."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial

from sqlalchemy import Engine

from allocation.adapters.postgres.notices import ToldRecently
from allocation.adapters.postgres.unit_of_work import unit_of_work
from allocation.adapters.smtp import LogLines, Mail
from allocation.config import Settings
from allocation.service_layer import out_of_stock
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.out_of_stock import Notifications
from allocation.service_layer.unit_of_work import Message
from readmodel.projector import fast_path
from readmodel.projector.fast_path import FastPath
from readmodel.store.client import client
from readmodel.store.store import Store

Committed = Callable[[Sequence[Message]], None]


def message_bus(engine: Engine, committed: Committed, most_together: int = 1) -> MessageBus:
    """A bus over PostgreSQL. `committed` gets the events of each commit: the fast path, or nothing but the relay."""
    return MessageBus(partial(unit_of_work, engine), committed, most_together)


def update_views(redis_url: str) -> Committed:
    return FastPath(Store(client(redis_url, timeout=fast_path.TIMEOUT)))


def tell_the_stock_team(engine: Engine, config: Settings) -> Callable[[Sequence[Message]], None]:
    """Gets events of out_of_stock.TYPES; raises NotSent, StoreUnavailable, RetryableError."""
    window = ToldRecently(engine, timedelta(seconds=config.mail_window))
    return partial(out_of_stock.tell_the_stock_team, notifications=notifications(config), window=window)


def notifications(config: Settings) -> Notifications:
    if config.smtp_url is None:
        return LogLines()
    return Mail(config.smtp_url, config.mail_from, config.mail_to)


def leave_to_the_relay(events: Sequence[Message]) -> None:
    """For loads in bulk, where the relay's pages cost less than an update per commit."""

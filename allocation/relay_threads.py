"""Builds the background threads of the relay from the settings, and from the clients that `bootstrap.py` passes."""

from datetime import timedelta
from functools import partial

from sqlalchemy import Engine

from allocation.adapters.announcements import CHANNEL, announce_lines
from allocation.adapters.postgres.log.event_log import EventLog
from allocation.adapters.postgres.notices import SqlNoticeHistory
from allocation.adapters.smtp import LogLines, Mail
from allocation.config import Settings
from allocation.entrypoints.consumer import CHANNEL as CONSUMED
from allocation.entrypoints.relay.background import BackgroundThread
from allocation.entrypoints.relay.fence_watch import FenceWatch
from allocation.entrypoints.relay.gauges import Gauges
from allocation.entrypoints.relay.handled_events import HandledEvents
from allocation.entrypoints.relay.key_expiry import KeyExpiry
from allocation.entrypoints.relay.shown_position import shown_position
from allocation.entrypoints.relay.subscription import Subscription
from allocation.entrypoints.relay.verification.continuous_verification import ContinuousVerification
from allocation.entrypoints.relay.view_retries import ViewRetries
from allocation.event_handlers import PROJECTION, events_of, subscribed_events
from allocation.service_layer.out_of_stock import Notifications, notify_stock_team
from allocation.shutdown import Shutdown
from readmodel.store.store import Store


def create_threads(
    settings: Settings, engine: Engine, log: EventLog, store: Store, shutdown: Shutdown
) -> list[BackgroundThread]:
    """Build the subscriptions, and the threads that watch the fence, delete old keys, and retry and verify views."""
    threads: list[BackgroundThread] = [
        create_announcements(engine, log, store, shutdown),
        create_mails(settings, engine, store, shutdown),
        KeyExpiry(engine, settings.keys_kept, shutdown),
        FenceWatch(engine, shutdown),
        ViewRetries(store, log, PROJECTION, shutdown),
    ]
    if settings.verify_rate:
        threads.append(ContinuousVerification(engine, store, log, PROJECTION, settings.verify_rate, shutdown))
    return threads


def create_gauges(engine: Engine, store: Store, shutdown: Shutdown) -> Gauges:
    return Gauges(engine, store, subscribed_events(), store.names.channel(CONSUMED), shutdown)


def create_announcements(engine: Engine, log: EventLog, store: Store, shutdown: Shutdown) -> Subscription:
    return Subscription(
        "line_allocated",
        events_of(announce_lines),
        engine,
        handle=partial(announce_lines, redis=store.redis, channel=store.names.channel(CHANNEL)),
        handled=HandledEvents(store.redis, store.names.handled("line_allocated")),
        shutdown=shutdown,
        upto=partial(shown_position, store, log),
    )


def create_mails(settings: Settings, engine: Engine, store: Store, shutdown: Shutdown) -> Subscription:
    history = SqlNoticeHistory(engine, timedelta(seconds=settings.mail_window))
    return Subscription(
        "out_of_stock",
        events_of(notify_stock_team),
        engine,
        handle=partial(notify_stock_team, notifications=create_notifications(settings), history=history),
        handled=HandledEvents(store.redis, store.names.handled("out_of_stock"), required=False),
        shutdown=shutdown,
    )


def create_notifications(settings: Settings) -> Notifications:
    return Mail(settings.smtp_url, settings.mail_from, settings.mail_to) if settings.smtp_url else LogLines()

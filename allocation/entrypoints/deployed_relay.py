"""The relay as it is deployed: the views, who else is told of the log's events, and what is deleted in time."""

from redis import Redis
from sqlalchemy import Engine

from allocation import bootstrap
from allocation.adapters.postgres.event_log import EventLog
from allocation.adapters.postgres.unit_of_work import engine_for
from allocation.config import Settings
from allocation.entrypoints.relay import announcements as line_allocated
from allocation.entrypoints.relay.announcements import LineAllocated
from allocation.entrypoints.relay.key_expiry import Expiry
from allocation.entrypoints.relay.relay import Relay
from allocation.entrypoints.relay.subscription import Subscriber
from allocation.service_layer import out_of_stock
from allocation.shutdown import Stop
from readmodel.store.client import client

CONNECTIONS = 10


def relay(database_url: str, redis_url: str, config: Settings, stop: Stop) -> Relay:
    engine, redis = engine_for(database_url, connections=CONNECTIONS), client(redis_url)
    companions = [
        announcements(engine, redis, stop),
        mails(engine, config, stop),
        Expiry(engine, config.keys_kept, stop),
    ]
    return Relay(EventLog(engine), redis, stop, companions)


def announcements(engine: Engine, redis: Redis, stop: Stop) -> Subscriber:
    channel = LineAllocated(redis, EventLog(engine))
    return Subscriber("line_allocated", line_allocated.TYPES, engine, channel.announce, stop, channel.shown)


def mails(engine: Engine, config: Settings, stop: Stop) -> Subscriber:
    tell = bootstrap.tell_the_stock_team(engine, config)
    return Subscriber("out_of_stock", out_of_stock.TYPES, engine, tell, stop)

"""The consumer counts handled, refused and failed messages."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from redis import Redis

from allocation.domain.commands import CreateBatch
from allocation.entrypoints.consumer import CHANNEL, Consumer
from allocation.entrypoints.inbox import Inbox
from allocation.service_layer.messagebus import MessageBus
from allocation.service_layer.unit_of_work import LockSet
from allocation.shutdown import Shutdown
from readmodel.store.client import redis_client
from tests.support.eventually import eventually
from tests.support.service_layer.fakes import FakeStore, FakeUnitOfWork


class FaultyStore(FakeStore):
    """Has a bug that affects the batch "faulty"."""

    @contextmanager
    def begin(self, locks: LockSet) -> Iterator[FakeUnitOfWork]:
        if "faulty" in locks.owners_of:
            raise ZeroDivisionError("a bug")
        with super().begin(locks) as uow:
            yield uow


def test_a_message_fails_alone_because_of_a_bug(redis: Redis, redis_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """The consumer must not report it as refused: its sender can't correct it."""
    bus = MessageBus(FaultyStore().begin, lambda events: None)
    bus.handle(CreateBatch("b1", "S", 10))
    shutdown = Shutdown()
    with redis_client(redis_url, decode=False) as subscriber:
        consumer = Consumer(bus, Inbox(subscriber, CHANNEL, shutdown), shutdown)
        thread = threading.Thread(target=consumer.run)
        thread.start()
        try:
            eventually(lambda: redis.pubsub_numsub(CHANNEL)[0][1])
            for ref in ("unknown", "faulty", "b1"):
                redis.publish(CHANNEL, json.dumps({"batchref": ref, "qty": 5}))
            eventually(lambda: consumer.counts.total() == 3)
        finally:
            shutdown.request()
            thread.join()
    assert consumer.counts == {"handled": 1, "refused": 1, "failed": 1}
    assert "Message 1 on change_batch_quantity was refused: There is no batch unknown" in caplog.text
    assert "Message 2 on change_batch_quantity failed because of a bug" in caplog.text
    assert "ZeroDivisionError: a bug" in caplog.text

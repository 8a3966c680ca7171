"""The inbox notices a lost or dead subscription at once, however many messages still wait to be handled."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from redis import Redis

from allocation.adapters import inbox
from allocation.adapters.inbox import Inbox
from allocation.shutdown import Shutdown
from readmodel.store.client import redis_client
from tests.support.eventually import eventually
from tests.support.patience import PATIENCE

CHANNEL = "news"


class Proxy:
    """A TCP proxy that can swallow all data without closing a connection."""

    def __init__(self, port: int) -> None:
        self._target = port
        self.swallows = threading.Event()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            server = socket.create_connection(("127.0.0.1", self._target))
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._copy, args=(source, sink), daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        with source, sink:
            try:
                while data := source.recv(65_536):
                    if not self.swallows.is_set():
                        sink.sendall(data)
            except OSError:
                pass

    def close(self) -> None:
        self._server.close()


@contextmanager
def receiving(redis: Redis) -> Iterator[Inbox]:
    shutdown = Shutdown()
    received = Inbox(redis, CHANNEL, shutdown)
    received.start()
    try:
        yield received
    finally:
        shutdown.request()
        received.join(PATIENCE)
        redis.close()


def undecoded(url: str) -> Redis:
    return redis_client(url, retries=0, decode=False)


def listeners(redis: Redis) -> int:
    return int(redis.pubsub_numsub(CHANNEL)[0][1])


def test_a_lost_subscription_is_renewed_before_old_messages_are_handled(
    redis: Redis, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with receiving(undecoded(redis_url)) as received:
        eventually(lambda: listeners(redis) == 1)
        for number in range(20_000):
            redis.publish(CHANNEL, str(number))
        redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        eventually(lambda: "Messages until then are lost" in caplog.text)
        eventually(lambda: listeners(redis) == 1)
        redis.publish(CHANNEL, "new")
        messages = [received.next(PATIENCE)]
        while messages[-1] != b"new":
            messages.append(received.next(PATIENCE))
    assert messages[0] == b"0", "no old message was handled before the subscription was renewed"


def test_a_silent_connection_is_replaced(
    redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(inbox, "PING_AFTER", 0.5)
    monkeypatch.setattr(inbox, "PONG_WITHIN", 0.5)
    address = redis.connection_pool.connection_kwargs
    proxy = Proxy(address["port"])
    with receiving(undecoded(redis_url.replace(f":{address['port']}/", f":{proxy.port}/"))) as received:
        eventually(lambda: listeners(redis) == 1)
        redis.publish(CHANNEL, "first")
        assert received.next(PATIENCE) == b"first"
        proxy.swallows.set()
        eventually(lambda: "did not answer a ping" in caplog.text)
        proxy.swallows.clear()
        eventually(lambda: proxy.connections > 1)
        eventually(lambda: redis.publish(CHANNEL, "second") and received.next(0.2))
    proxy.close()


def test_an_idle_connection_stays(redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "PING_AFTER", 0.1)
    monkeypatch.setattr(inbox, "PONG_WITHIN", 20.0)
    with receiving(undecoded(redis_url)) as received:
        eventually(lambda: listeners(redis) == 1)
        [before] = redis.client_list(_type="pubsub")
        for _ in range(10):
            assert received.next(0.2) is None
        [after] = redis.client_list(_type="pubsub")
        assert after["id"] == before["id"]
        assert int(after["idle"]) <= 1, "it was pinged"

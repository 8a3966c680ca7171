"""The inbox notices a lost or dead subscription at once, however many messages still wait to be handled."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis

from allocation.entrypoints import inbox
from allocation.entrypoints.inbox import Inbox
from allocation.shutdown import Shutdown
from readmodel.store.client import redis_client
from tests.support.eventually import eventually
from tests.support.patience import PATIENCE
from tests.support.servers import redis_in
from tests.support.servers import running as serving

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


@pytest.mark.slow
def test_a_lost_subscription_is_renewed_before_old_messages(
    redis: Redis, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    with receiving(undecoded(redis_url)) as received:
        eventually(lambda: listeners(redis) == 1)
        for number in range(20_000):
            redis.publish(CHANNEL, str(number))
        eventually(lambda: received.waiting == 20_000)
        redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        eventually(lambda: f"The consumer listens on {CHANNEL} again after" in caplog.text)
        assert received.waiting == 20_000, "the inbox waited for its handler before it subscribed again"
        redis.publish(CHANNEL, "new")
        eventually(lambda: received.waiting == 20_001)


def test_an_outage_of_redis_takes_two_log_lines(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    caplog.set_level("INFO")
    with serving(redis_in(tmp_path)) as server:
        server.kill()
        with receiving(undecoded(server.url)):
            refused = "Connection refused"
            eventually(lambda: refused in caplog.text)
            server.start()
            eventually(lambda: "again after" in caplog.text)
    assert len([message for message in caplog.messages if refused in message]) == 1


def test_an_inbox_drops_messages_beyond_its_limit(
    redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(inbox, "MOST_BYTES", 1_000)
    with receiving(undecoded(redis_url)) as received:
        eventually(lambda: listeners(redis) == 1)
        for _ in range(11):
            redis.publish(CHANNEL, "x" * 100)
        eventually(lambda: received.waiting == 11)
        redis.publish(CHANNEL, "one too many")
        eventually(lambda: "are dropped, because 11 messages wait" in caplog.text)
        for _ in range(11):
            assert received.next(PATIENCE) == b"x" * 100
        redis.publish(CHANNEL, "later")
        assert received.next(PATIENCE) == b"later"
    assert f"Dropped messages on {CHANNEL}: 1" in caplog.messages


def test_a_bug_in_the_inbox_reaches_its_reader(redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the consumer would run on, without a subscription."""

    def fail(*_: object) -> None:
        raise ValueError("a bug")

    monkeypatch.setattr(Inbox, "_keep", fail)
    with receiving(undecoded(redis_url)) as received:
        eventually(lambda: listeners(redis) == 1)
        redis.publish(CHANNEL, "x")
        received.join(PATIENCE)
        with pytest.raises(ValueError, match="a bug"):
            received.next(0.1)


@pytest.mark.slow
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


@pytest.mark.slow
def test_an_idle_connection_stays(redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis counts the commands of a connection: after the subscription, only pings add to them."""
    monkeypatch.setattr(inbox, "PING_AFTER", 0.1)
    monkeypatch.setattr(inbox, "PONG_WITHIN", PATIENCE)
    with receiving(undecoded(redis_url)):
        eventually(lambda: listeners(redis) == 1)
        [before] = redis.client_list(_type="pubsub")
        pings = calls_of_ping(redis)
        eventually(lambda: calls_of_ping(redis) >= pings + 3)
        [after] = redis.client_list(_type="pubsub")
        assert after["id"] == before["id"]


def calls_of_ping(redis: Redis) -> int:
    return int(redis.info("commandstats").get("cmdstat_ping", {}).get("calls", 0))

"""The out-of-stock mail to the stock team."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from allocation.domain.commands import Allocate, ChangeBatchQuantity, CreateBatch
from allocation.local.ports import free_port
from allocation.service_layer.messagebus import MessageBus
from readmodel.store.store import Store
from tests.support.adapters.mailserver import mail_server
from tests.support.e2e.listener import Listener
from tests.support.eventually import eventually
from tests.support.patience import PATIENCE
from tests.support.processes import running


@contextmanager
def relay_with_mail(environment: dict[str, str], url: str, **options: Any) -> Iterator["subprocess.Popen[str]"]:
    with running("relay", environment | {"SMTP_URL": url}, **options) as process:
        yield process


@pytest.mark.slow
def test_the_stock_team_gets_one_mail_per_sku_and_window(
    bus: MessageBus, model: Store, environment: dict[str, str]
) -> None:
    """A displaced line also causes a mail. The mail names the order and the quantity."""
    bus.handle(CreateBatch("b1", "S", 10))
    bus.handle(Allocate("o1", "S", 10))
    with mail_server() as server:
        with relay_with_mail(environment, server.url):
            bus.handle(ChangeBatchQuantity("b1", 9))
            [mail] = eventually(lambda: server.mails)
            assert mail["Subject"] == "Out of stock for S"
            assert "order 'o1': 10 units" in mail.get_content()
            bus.handle(Allocate("o2", "S", 99))
            bus.handle(CreateBatch("b2", "T", 1))
            bus.handle(Allocate("o3", "T", 2))
            eventually(lambda: len(server.mails) == 2)
        with relay_with_mail(environment | {"ALLOCATION_MAIL_WINDOW": "0"}, server.url):
            bus.handle(CreateBatch("b3", "U", 1))
            bus.handle(Allocate("o4", "U", 2))
            eventually(lambda: len(server.mails) >= 3)
    assert server.subjects() == [f"Out of stock for {sku}" for sku in "STU"]


@pytest.mark.slow
def test_a_mail_waits_for_a_dead_server_and_delays_nothing_else(
    bus: MessageBus, model: Store, redis: Redis, environment: dict[str, str], tmp_path: Path
) -> None:
    port = free_port()
    relay_log = tmp_path / "relay.log"
    with (
        relay_log.open("w") as file,
        Listener(redis) as listener,
        relay_with_mail(environment, f"smtp://127.0.0.1:{port}", stderr=file),
    ):
        bus.handle(CreateBatch("b1", "S", 10))
        bus.handle(Allocate("waits", "S", 99))
        eventually(lambda: "out_of_stock is interrupted" in relay_log.read_text())
        bus.handle(Allocate("o1", "S", 1))
        eventually(lambda: ("o1", "b1") in listener.batches())
        with mail_server(port) as server:
            eventually(lambda: server.subjects() == ["Out of stock for S"])


def test_a_silent_mail_server_delays_no_announcement(
    bus: MessageBus, model: Store, redis: Redis, environment: dict[str, str]
) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        Listener(redis) as listener,
        relay_with_mail(environment, url_of(silent)),
    ):
        bus.handle(CreateBatch("b1", "S", 10))
        bus.handle(Allocate("waits", "S", 99))
        connection, _ = silent.accept()
        bus.handle(Allocate("o1", "S", 1))
        eventually(lambda: ("o1", "b1") in listener.batches())
        connection.close()


@pytest.mark.slow
def test_a_silent_mail_server_does_not_delay_the_shutdown(
    bus: MessageBus, model: Store, environment: dict[str, str], tmp_path: Path
) -> None:
    """The relay ends while it waits for the mail server's first answer."""
    relay_log = tmp_path / "relay.log"
    with (
        relay_log.open("w") as file,
        socket.create_server(("127.0.0.1", 0)) as silent,
        relay_with_mail(environment, url_of(silent), stderr=file) as relay,
    ):
        bus.handle(CreateBatch("b1", "S", 10))
        bus.handle(Allocate("waits", "S", 99))
        connection, _ = silent.accept()
        relay.terminate()
        assert relay.wait(PATIENCE) == 0
        connection.close()
    assert "out_of_stock retries" not in relay_log.read_text(), "the relay waited until it gave the mail up"


def url_of(server: socket.socket) -> str:
    return f"smtp://127.0.0.1:{server.getsockname()[1]}"

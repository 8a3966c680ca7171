"""Mail, as a real SMTP server gets it."""

import smtplib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword
from sqlalchemy import Engine

from allocation.adapters.postgres.notices import SqlNoticeHistory
from allocation.adapters.smtp import LogLines, Mail, ends_within
from allocation.local.ports import free_port
from allocation.service_layer.out_of_stock import MOST_LISTED, NotAccepted, Notice, NotSent, notice, notify_stock_team
from allocation.service_layer.unit_of_work import LoggedEvent
from tests.support.mailserver import MailServer, mail_server

FROM, TO = "allocations@example.com", "stock@example.com"


@pytest.fixture
def server() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


def mail(url: str, **options: Any) -> Mail:
    return Mail(url, FROM, TO, **options)


def out_of_stock(sku: str, orderid: str = "o1", qty: int = 5, version: int = 7) -> LoggedEvent:
    return {
        "type": "OutOfStock",
        "sku": sku,
        "version": version,
        "waiting": {"lines": 3, "units": 12},
        "line": {"orderid": orderid, "qty": qty, "status": "waiting", "batchref": None},
    }


def test_the_mail_says_what_is_out_of_stock(server: MailServer) -> None:
    mail(server.url).send(notice("RED-CHAIR", [out_of_stock("RED-CHAIR", "order-1", 17)]))
    [received] = server.mails
    assert received["Subject"] == "Out of stock for RED-CHAIR"
    assert (received["From"], received["To"], server.recipients) == (FROM, TO, [TO])
    text = received.get_content()
    assert "order 'order-1': 17 units" in text
    assert "3 lines with 12 units" in text
    assert received["Date"]
    assert received["Message-ID"]


@pytest.mark.parametrize(
    ("sku", "shown"),
    [
        ("椅子 🪑", "椅子 🪑"),
        ("كرسي", "كرسي"),
        ('Stuhl, rot; "groß" <x@y>', 'Stuhl, rot; "groß" <x@y>'),
        ("🪑" * 255, "🪑" * 255),
        ("x" * 255, "x" * 255),
        ("a  b", "a  b"),
        ("a\r\nBcc: thief@example.com", r"a\r\nBcc: thief@example.com"),
        ("a\n\nbody", r"a\n\nbody"),
        ("a\r", r"a\r"),
        ("=?utf-8?q?=0D=0ABcc=3A_thief=40example.com?=", "=?utf-8?q?=0D=0ABcc=3A_thief=40example.com?="),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("a\u2028b\x85c\x1b[31m", r"a\u2028b\x85c\x1b[31m"),
    ],
)
def test_any_name_is_shown_and_none_becomes_a_header(server: MailServer, sku: str, shown: str) -> None:
    # W29
    mail(server.url).send(notice(sku, [out_of_stock(sku, orderid=sku)]))
    [received] = server.mails
    assert received["Subject"] == f"Out of stock for {shown}"
    assert set(received.keys()) == {
        "Content-Type", "MIME-Version", "Content-Transfer-Encoding",
        "Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted",
    }  # fmt: skip
    assert server.recipients == [TO]
    assert f"No batch of {sku!r} has room for:\n" in received.get_content()


def test_the_same_notice_has_the_same_id_so_that_a_second_copy_can_be_told(server: MailServer) -> None:
    for version in (7, 7, 8):
        mail(server.url).send(notice("S", [out_of_stock("S", version=version)]))
    first, again, another = (received["Message-ID"] for received in server.mails)
    assert first == again != another


def test_a_long_list_is_cut(server: MailServer) -> None:
    mail(server.url).send(notice("S", [out_of_stock("S", f"o{n}") for n in range(MOST_LISTED + 7)]))
    text = server.mails[0].get_content()
    assert f"'o{MOST_LISTED - 1}'" in text
    assert f"'o{MOST_LISTED}'" not in text
    assert "and 7 more" in text


@pytest.mark.parametrize("answer", ["451 try later", "421 closing"])
def test_a_mail_that_is_not_taken_now_is_not_sent(server: MailServer, answer: str) -> None:
    server.answer = answer
    with pytest.raises(NotSent):
        mail(server.url).send(notice("S", [out_of_stock("S")]))


def test_a_mail_that_is_refused_for_good_is_told_and_done_with(
    server: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.answer = "554 we don't want it"
    mail(server.url).send(notice("S", [out_of_stock("S")]))
    assert server.asked == 1
    assert "Out of stock for S" in caplog.text


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(NotSent):
        mail(f"smtp://127.0.0.1:{free_port()}").send(notice("S", [out_of_stock("S")]))


@contextmanager
def socket_server(talk: Any) -> Iterator[str]:
    """A server that is none: it does with each connection what `talk` does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, suppress(OSError):
                        talk(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"smtp://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            thread.join()


def drips(connection: socket.socket) -> None:
    """Never ends its greeting, and never lets the client wait for longer than its time-out."""
    done = threading.Event()
    connection.sendall(b"220 ")
    while not done.wait(0.02):
        connection.sendall(b"x")


def takes_it_and_hangs_up(connection: socket.socket) -> None:
    file = connection.makefile("rb")
    connection.sendall(b"220 hello\r\n")
    for answer in (b"250 hello", b"250 sender", b"250 recipient", b"354 go on"):
        file.readline()
        connection.sendall(answer + b"\r\n")
    while file.readline() != b".\r\n":
        pass
    connection.sendall(b"250 taken\r\n")
    file.readline()
    connection.sendall(b"500 who are you?\r\n")


def test_a_server_that_answers_a_byte_at_a_time_is_left() -> None:
    with socket_server(drips) as url, pytest.raises(NotSent):
        mail(url, done_within=0.3).send(notice("S", [out_of_stock("S")]))


def test_a_connection_that_is_made_after_the_time_is_over_ends_too() -> None:
    """As where its name was looked up for long, or encryption began."""
    ours, theirs = socket.socketpair()
    server = smtplib.SMTP()
    with ours, theirs, ends_within(0.0, server):
        server.sock = ours
        assert theirs.recv(1) == b""


@pytest.mark.parametrize("url", ["smtp://user:p%C3%A4ss@127.0.0.1:{}", "smtp://mail..example.com:{}"])
def test_what_can_not_be_written_is_no_reason_to_die(url: str) -> None:
    def accept(*_: object) -> AuthResult:
        return AuthResult(success=True)

    with mail_server(authenticator=accept, auth_require_tls=False) as server, pytest.raises(NotSent) as caught:
        mail(url.format(server.port)).send(notice("S", [out_of_stock("S")]))
    assert "ss@" not in str(caught.value)


def test_a_mail_that_was_taken_is_sent_whatever_comes_after() -> None:
    with socket_server(takes_it_and_hangs_up) as url:
        mail(url).send(notice("S", [out_of_stock("S")]))


def test_where_encryption_is_asked_for_nothing_is_sent_without(server: MailServer) -> None:
    for scheme in ("smtp+starttls", "smtps"):
        with pytest.raises(NotSent):
            mail(server.url.replace("smtp:", scheme + ":")).send(notice("S", [out_of_stock("S")]))
    assert server.asked == 0


def test_a_password_is_taken_out_of_the_address() -> None:
    seen: list[LoginPassword] = []

    def authenticate(*arguments: Any) -> AuthResult:
        seen.append(arguments[-1])
        return AuthResult(success=True)

    with mail_server(authenticator=authenticate, auth_require_tls=False) as server:
        url = f"smtp://us%40er:p%2Fa%3As%20s@127.0.0.1:{server.port}"
        mail(url).send(notice("S", [out_of_stock("S")]))
    assert seen == [LoginPassword(b"us@er", b"p/a:s s")]
    assert len(server.mails) == 1


def test_one_mail_per_sku_and_window(server: MailServer, engine: Engine) -> None:
    # W29
    now = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
    clock = [now]
    window = SqlNoticeHistory(engine, timedelta(minutes=10), now=lambda: clock[0])
    for minutes, skus in [(0, "STS"), (9, "ST"), (11, "SU")]:
        clock[0] = now + timedelta(minutes=minutes)
        notify_stock_team([out_of_stock(sku, version=minutes + 1) for sku in skus], mail(server.url), window)
    assert [subject[-1] for subject in server.subjects()] == ["S", "T", "S", "U"]


class Picky:
    """Sends nothing of the SKUs that it does not want now."""

    def __init__(self, unwanted: str, refusal: type[NotSent]) -> None:
        self.sent: list[str] = []
        self.unwanted = unwanted
        self._refusal = refusal

    def send(self, notice: Notice) -> None:
        if notice.subject[-1] in self.unwanted:
            raise self._refusal
        self.sent.append(notice.subject[-1])


@pytest.mark.parametrize(
    ("refusal", "sent_at_first"),
    [pytest.param(NotSent, "S", id="the-server"), pytest.param(NotAccepted, "SU", id="this-mail-alone")],
)
def test_what_could_not_be_sent_is_sent_later_and_what_was_sent_is_not(
    refusal: type[NotSent], sent_at_first: str, engine: Engine
) -> None:
    """However long that takes: the window does not open for what was told already."""
    # W18
    notifications, window = Picky("T", refusal), SqlNoticeHistory(engine, timedelta(0))
    events = [out_of_stock(sku) for sku in "STU"]
    for _ in range(2):
        with pytest.raises(NotSent):
            notify_stock_team(events, notifications, window)
        assert notifications.sent == [*sent_at_first]
    notifications.unwanted = ""
    notify_stock_team(events, notifications, window)
    assert sorted(notifications.sent) == ["S", "T", "U"]
    notify_stock_team([out_of_stock("S", version=8)], notifications, window)
    assert notifications.sent[-1] == "S", "what is new is told"


def test_without_a_mail_server_it_is_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    LogLines().send(notice("S\n2026 ERROR fake", [out_of_stock("S", "o1")]))
    [record] = caplog.records
    assert r"Out of stock for S\n2026 ERROR fake" in record.getMessage()
    assert "order 'o1': 5 units" in record.getMessage()
    assert "\n" not in record.getMessage()

"""SMTP sessions: log-in, encryption, rejections, and servers that do not answer properly."""

import smtplib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword

from allocation.adapters.smtp import ends_within
from allocation.local.ports import free_port
from allocation.service_layer.out_of_stock import NotSent, Rejected
from tests.support.adapters.mailserver import MailServer, mail_server
from tests.support.adapters.out_of_stock import mail_to, notice_of


@pytest.mark.parametrize("answer", ["451 try later", "421 closing"])
def test_mail_raises_not_sent_after_a_temporary_rejection(server: MailServer, answer: str) -> None:
    server.answer = answer
    with pytest.raises(NotSent):
        mail_to(server.url).send(notice_of("S"))


def test_mail_raises_rejected_after_a_permanent_rejection(server: MailServer) -> None:
    """A new attempt would fail as well. So the relay parks the event, and sends the notices of other SKUs."""
    server.answer = "554 we don't want it"
    with pytest.raises(Rejected, match="we don't want it"):
        mail_to(server.url).send(notice_of("S"))
    assert server.asked == 1


def test_mail_raises_not_sent_when_no_server_listens() -> None:
    with pytest.raises(NotSent):
        mail_to(f"smtp://127.0.0.1:{free_port()}").send(notice_of("S"))


@contextmanager
def socket_server(handle: Callable[[socket.socket], None]) -> Iterator[str]:
    """Listen on a free port, call `handle` with each connection, and yield the SMTP URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, suppress(OSError):
                        handle(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"smtp://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            thread.join()


def send_an_endless_greeting(connection: socket.socket) -> None:
    """Send a byte often enough that the client never reaches its time-out for one read."""
    pause = threading.Event()
    connection.sendall(b"220 ")
    while not pause.wait(0.02):
        connection.sendall(b"x")


def accept_the_mail_and_fail(connection: socket.socket) -> None:
    """Accept one mail and answer the QUIT after it with an error."""
    file = connection.makefile("rb")
    connection.sendall(b"220 hello\r\n")
    for answer in (b"250 hello", b"250 sender", b"250 recipient", b"354 go on"):
        file.readline()
        connection.sendall(answer + b"\r\n")
    while file.readline() != b".\r\n":
        pass
    connection.sendall(b"250 accepted\r\n")
    file.readline()
    connection.sendall(b"500 unknown command\r\n")


def test_mail_gives_up_on_a_server_that_never_finishes() -> None:
    with socket_server(send_an_endless_greeting) as url, pytest.raises(NotSent):
        mail_to(url, done_within=0.3).send(notice_of("S"))


def test_time_limit_also_ends_a_connection_that_opens_later() -> None:
    """A slow name look-up or TLS handshake may open the connection only after the limit."""
    ours, theirs = socket.socketpair()
    server = smtplib.SMTP()
    with ours, theirs, ends_within(0.0, server):
        server.sock = ours
        assert theirs.recv(1) == b""


def test_mail_counts_as_sent_when_the_session_fails_after_it() -> None:
    with socket_server(accept_the_mail_and_fail) as url:
        mail_to(url).send(notice_of("S"))


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("smtp://user:p%C3%A4ss@127.0.0.1:{}", id="non-ascii-password"),
        pytest.param("smtp://mail..example.com:{}", id="host-with-an-empty-label"),
    ],
)
def test_mail_raises_not_sent_when_smtp_cannot_encode_its_url(url: str) -> None:
    """A wrong setting must not end the relay. The error must not contain the password."""

    def accept(*_: object) -> AuthResult:
        return AuthResult(success=True)

    with mail_server(authenticator=accept, auth_require_tls=False) as server, pytest.raises(NotSent) as caught:
        mail_to(url.format(server.port)).send(notice_of("S"))
    assert "ss@" not in str(caught.value)


def test_mail_is_not_sent_when_encryption_is_unavailable(server: MailServer) -> None:
    for scheme in ("smtp+starttls", "smtps"):
        with pytest.raises(NotSent):
            mail_to(server.url.replace("smtp:", scheme + ":")).send(notice_of("S"))
    assert server.asked == 0


def test_mail_decodes_the_user_and_password_of_its_url() -> None:
    seen: list[LoginPassword] = []

    def authenticate(*arguments: Any) -> AuthResult:
        seen.append(arguments[-1])
        return AuthResult(success=True)

    with mail_server(authenticator=authenticate, auth_require_tls=False) as server:
        url = f"smtp://us%40er:p%2Fa%3As%20s@127.0.0.1:{server.port}"
        mail_to(url).send(notice_of("S"))
    assert seen == [LoginPassword(b"us@er", b"p/a:s s")]
    assert len(server.mails) == 1

"""Sends notices to the stock team, as mail over SMTP or as logged warnings."""

import logging
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.header import Header
from email.mime.text import MIMEText
from email.utils import formatdate
from urllib.parse import unquote, urlsplit

from allocation.service_layer.out_of_stock import NotAccepted, Notice, NotSent, Rejected

logger = logging.getLogger(__name__)

TIMEOUT = 10.0
DONE_WITHIN = 30.0
LONGEST_SUBJECT = 900
LONGEST_LINE = 900
"""Characters. SMTP servers refuse a longer line than 998."""

RETRY_SHUTDOWN_AFTER = 0.1
PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}


class LogLines:
    """Logs each notice as a warning."""

    def send(self, notice: Notice) -> None:
        extra = {"correlation_ids": list(notice.correlation_ids) or None}
        logger.warning("%s. %s", notice.subject, " ".join(notice.text.splitlines()), extra=extra)


class Mail:
    """Sends each notice over a new connection, which it closes after at most `done_within` seconds.

    `url` is `scheme://[user:password@]host[:port]`. The scheme is smtp, smtp+starttls or smtps.
    """

    def __init__(self, url: str, sender: str, recipient: str, done_within: float = DONE_WITHIN) -> None:
        self._url = urlsplit(url)
        self._sender = sender
        self._recipient = recipient
        self._done_within = done_within

    def send(self, notice: Notice) -> None:
        """Send the notice.

        Raise Rejected if the server permanently rejects this mail, and NotAccepted if it rejects this mail temporarily.
        Raise NotSent if another error prevents the mail.
        """
        accepted = False
        try:
            with self._session() as session:
                session.send_message(self._message(notice), self._sender, [self._recipient])
                accepted = True
        except (OSError, smtplib.SMTPException, UnicodeError) as error:
            if not accepted:  # If the server has accepted the mail, a later error does not matter.
                why = f"{self._url.hostname}: {' '.join(str(error).split())}"
                raise kind_of(error)(why) from error

    def _message(self, notice: Notice) -> MIMEText:
        message = MIMEText(notice.text, "plain", "us-ascii" if is_plain(notice.text) else "utf-8")
        message["Subject"] = subject_header(visible(notice.subject))
        message["From"] = self._sender
        message["To"] = self._recipient
        message["Date"] = formatdate()
        message["Message-ID"] = f"<{notice.key}@{self._sender.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        for correlation_id in notice.correlation_ids:
            message["X-Correlation-Id"] = correlation_id
        return message

    @contextmanager
    def _session(self) -> Iterator[smtplib.SMTP]:
        host, port = self._url.hostname or "", self._url.port or PORTS[self._url.scheme]
        encryption = ssl.create_default_context()
        secure = self._url.scheme == "smtps"
        server = smtplib.SMTP_SSL(timeout=TIMEOUT, context=encryption) if secure else smtplib.SMTP(timeout=TIMEOUT)
        # The constructor sets _host only if it connects. TLS checks the server's certificate against _host.
        server._host = host  # type: ignore[attr-defined]  # The stub hides this attribute.
        with ends_within(self._done_within, server), server:
            server.connect(host, port)
            if self._url.scheme == "smtp+starttls":
                server.starttls(context=encryption)
            if self._url.username is not None:
                server.login(unquote(self._url.username), unquote(self._url.password or ""))
            yield server


def is_plain(text: str) -> bool:
    """Return whether a mail can hold the text without an encoding: only ASCII, and no line that servers refuse."""
    return text.isascii() and all(len(line) <= LONGEST_LINE for line in text.splitlines())


def subject_header(subject: str) -> str:
    """Return an ASCII subject unchanged. Encode a subject that is long, is not ASCII, or looks encoded."""
    if subject.isascii() and "=?" not in subject and len(subject) <= LONGEST_SUBJECT:
        return subject
    return Header(subject, "utf-8", header_name="Subject").encode()


@contextmanager
def ends_within(seconds: float, server: smtplib.SMTP) -> Iterator[None]:
    """Shut down the server's connection if the context lasts longer than `seconds`.

    The socket's own time-out does not limit the session: a server can send one byte before each time-out. A thread
    repeats the shutdown until the context ends. A single shutdown would have no effect before `server` has a
    connection: during the name lookup or the TLS handshake.
    """
    done = threading.Event()

    def watch() -> None:
        done.wait(seconds)
        while not done.wait(RETRY_SHUTDOWN_AFTER):
            connection = server.sock
            if connection is not None:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def kind_of(error: Exception) -> type[Exception]:
    """Return Rejected if the server permanently rejected the content of the mail.

    A rejected sender, recipient or password concerns every mail. If an operator corrects the setting, the server
    accepts the same mail. So such a mail counts as NotSent, and the subscription retries it indefinitely.
    """
    if not isinstance(error, smtplib.SMTPDataError):
        return NotSent
    return Rejected if error.smtp_code >= 500 else NotAccepted


def visible(text: str) -> str:
    """Return the text as one line. Escape line breaks, invisible characters and direction marks."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)

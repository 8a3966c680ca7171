"""Notices to people: mail over SMTP, or a log line if there is no mail server."""

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

from allocation.service_layer.out_of_stock import NotAccepted, Notice, NotSent

logger = logging.getLogger(__name__)

TIMEOUT = 10.0
DONE_WITHIN = 30.0
RETRY_SHUTDOWN_AFTER = 0.1
PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}


class LogLines:
    """Logs each notice as a warning."""

    def send(self, notice: Notice) -> None:
        logger.warning("%s. %s", visible(notice.subject), " ".join(visible(line) for line in notice.text.splitlines()))


class Mail:
    """Sends each notice over a connection of its own, and gives up after `done_within` seconds.

    `url` is smtp://, smtp+starttls:// or smtps://[user:password@]host[:port].
    """

    def __init__(self, url: str, sender: str, recipient: str, done_within: float = DONE_WITHIN) -> None:
        self._url = urlsplit(url)
        self._sender = sender
        self._recipient = recipient
        self._done_within = done_within

    def send(self, notice: Notice) -> None:
        """Send the notice. If the server rejects it for good, log that and return. Raises NotSent, NotAccepted."""
        accepted = False
        try:
            with self._session() as session:
                session.send_message(self._message(notice), self._sender, [self._recipient])
                accepted = True
        except (OSError, smtplib.SMTPException, UnicodeError) as error:
            if is_rejected_for_good(error):
                logger.error("The mail server rejected a mail for good (%s): %s", error, visible(notice.subject))
            elif not accepted:  # After it accepted the mail, an error at the end of the session changes nothing.
                why = f"{self._url.hostname}: {' '.join(str(error).split())}"
                raise (NotAccepted if isinstance(error, smtplib.SMTPDataError) else NotSent)(why) from error

    def _message(self, notice: Notice) -> MIMEText:
        message = MIMEText(notice.text, "plain", "utf-8")
        # Encoded as a whole, so that a SKU that looks like an encoded word or a header appears unchanged.
        message["Subject"] = Header(visible(notice.subject), "utf-8", header_name="Subject").encode()
        message["From"] = self._sender
        message["To"] = self._recipient
        message["Date"] = formatdate()
        message["Message-ID"] = f"<{notice.key}@{self._sender.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        return message

    @contextmanager
    def _session(self) -> Iterator[smtplib.SMTP]:
        host, port = self._url.hostname or "", self._url.port or PORTS[self._url.scheme]
        encryption = ssl.create_default_context()
        secure = self._url.scheme == "smtps"
        server = smtplib.SMTP_SSL(timeout=TIMEOUT, context=encryption) if secure else smtplib.SMTP(timeout=TIMEOUT)
        server._host = host  # type: ignore[attr-defined]  # Only a constructor that connects would set it.
        with ends_within(self._done_within, server), server:
            server.connect(host, port)
            if self._url.scheme == "smtp+starttls":
                server.starttls(context=encryption)
            if self._url.username is not None:
                server.login(unquote(self._url.username), unquote(self._url.password or ""))
            yield server


@contextmanager
def ends_within(seconds: float, server: smtplib.SMTP) -> Iterator[None]:
    """Shut the connection down after so many seconds. A server that sends one byte at a time meets other time-outs.

    Repeat that, since there may be no connection yet: while the name is looked up, or while encryption begins.
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


def is_rejected_for_good(error: Exception) -> bool:
    """Return whether the server rejected this mail itself.

    A wrong sender, recipient or password does not count: the server accepts the mail once the setting is corrected.
    """
    return isinstance(error, smtplib.SMTPDataError) and error.smtp_code >= 500


def visible(text: str) -> str:
    """Return the text in one line, with invisible characters and direction marks escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)

"""Mail to people, over SMTP; or a line in the log, where there is no mail server."""

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

from allocation.service_layer.out_of_stock import Notice, NotSent, NotTakenNow

logger = logging.getLogger(__name__)

PATIENCE = 10.0
DONE_WITHIN = 30.0
STRIKE_EVERY = 0.1
PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}


class LogLines:
    def send(self, notice: Notice) -> None:
        logger.warning("%s. %s", visible(notice.subject), " ".join(visible(line) for line in notice.text.splitlines()))


class Mail:
    """Sends each notice over a connection of its own, within half a minute or not at all.

    `url` is smtp://, smtp+starttls:// or smtps://[user:password@]host[:port].
    """

    def __init__(self, url: str, sender: str, recipient: str, done_within: float = DONE_WITHIN) -> None:
        self._url = urlsplit(url)
        self._sender = sender
        self._recipient = recipient
        self._done_within = done_within

    def send(self, notice: Notice) -> None:
        """A mail that the server refuses for good is logged, and done with. Raises NotSent."""
        accepted = False
        try:
            with self._session() as session:
                session.send_message(self._message(notice), self._sender, [self._recipient])
                accepted = True
        except (OSError, smtplib.SMTPException, UnicodeError) as error:
            if is_refused_for_good(error):
                logger.error("The mail server refused a mail for good (%s): %s", error, visible(notice.subject))
            elif not accepted:  # A server that is rude at the end has the mail all the same.
                why = f"{self._url.hostname}: {' '.join(str(error).split())}"
                raise (NotTakenNow if isinstance(error, smtplib.SMTPDataError) else NotSent)(why) from error

    def _message(self, notice: Notice) -> MIMEText:
        message = MIMEText(notice.text, "plain", "utf-8")
        # Encoded as a whole: what looks like an encoded word, or like another header, is shown as it is.
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
        server = smtplib.SMTP_SSL(timeout=PATIENCE, context=encryption) if secure else smtplib.SMTP(timeout=PATIENCE)
        server._host = host  # type: ignore[attr-defined]  # Else known only to a constructor that connects at once.
        with ends_within(self._done_within, server), server:
            server.connect(host, port)
            if self._url.scheme == "smtp+starttls":
                server.starttls(context=encryption)
            if self._url.username is not None:
                server.login(unquote(self._url.username), unquote(self._url.password or ""))
            yield server


@contextmanager
def ends_within(seconds: float, server: smtplib.SMTP) -> Iterator[None]:
    """Break the connection after so long: a server that answers a byte at a time meets every time-out but this.

    Again and again, since for a moment there may be none: while its name is looked up, or encryption begins.
    """
    done = threading.Event()

    def watch() -> None:
        done.wait(seconds)
        while not done.wait(STRIKE_EVERY):
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


def is_refused_for_good(error: Exception) -> bool:
    """This mail, that is. Who refuses the sender, the recipient or the password may take it once that is mended."""
    return isinstance(error, smtplib.SMTPDataError) and error.smtp_code >= 500


def visible(text: str) -> str:
    """In one line, and without characters that could not be seen or turn others around."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)

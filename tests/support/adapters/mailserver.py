"""A real SMTP server that keeps the mails that it accepts."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope

from allocation.local.ports import free_port


class MailServer:
    """`answer` is the reply to each mail. The server keeps a mail only if the reply starts with 250.

    `asked` counts the mails that clients tried to deliver. While `replies` is not set, clients wait for the reply.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"smtp://127.0.0.1:{port}"
        self.mails: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.asked = 0
        self.answer = "250 OK"
        self.replies = threading.Event()
        self.replies.set()

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802
        self.asked += 1
        if self.answer.startswith("250"):
            assert isinstance(envelope.content, bytes)
            self.mails.append(message_from_bytes(envelope.content, policy=default))
            self.recipients += envelope.rcpt_tos
        await asyncio.to_thread(self.replies.wait)
        return self.answer

    def subjects(self) -> list[str]:
        return [mail["Subject"] for mail in self.mails]


@contextmanager
def mail_server(port: int | None = None, **options: Any) -> Iterator[MailServer]:
    """Run a mail server, by default on a free port. `options` are those of aiosmtpd's Controller."""
    handler = MailServer(port or free_port())
    controller = Controller(handler, hostname="127.0.0.1", port=handler.port, **options)
    controller.start()
    try:
        yield handler
    finally:
        handler.replies.set()
        controller.stop()

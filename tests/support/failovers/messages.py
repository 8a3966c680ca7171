"""Commands that cause a message each, and the messages that arrive."""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from tests.support.adapters.mailserver import MailServer, mail_server
from tests.support.e2e.listener import Listener
from tests.support.eventually import eventually
from tests.support.failovers.service import Service, service_on

LOWEST_CURSOR = "SELECT min(cursor) FROM subscriptions"


class Messages:
    """Announcements and out-of-stock mails of a service, by order."""

    def __init__(self, service: Service, listener: Listener, mails: MailServer) -> None:
        self.mails = mails
        self._service = service
        self._listener = listener

    def allocate(self, *names: str) -> None:
        """For each name, allocate a line of S to the order <name>, and let a line wait in the order <name>-waits."""
        for name in names:
            assert self._service.api.allocate(name, "S", 1).status == 202
            assert self._service.api.allocate(f"{name}-waits", "S", 1_000).status == 202

    def announced(self) -> Counter[str]:
        return Counter(orderid for orderid, _ in self._listener.batches())

    def mailed(self) -> Counter[str]:
        texts = [mail.get_content() for mail in list(self.mails.mails)]
        return Counter(name for text in texts for name in re.findall("order '(.+)-waits'", text))

    def wait_for(self, name: str, times: int = 1) -> None:
        eventually(partial(self._have_arrived, name, times))

    def _have_arrived(self, name: str, times: int) -> bool:
        announced, mailed = self.announced(), self.mailed()
        assert min(announced[name], mailed[name]) >= times, f"announced: {announced}, mailed: {mailed}"
        return True

    def wait_until_recorded(self) -> None:
        """Wait until each subscription has stored that it has handled its last event."""
        eventually(lambda: self._service.value(LOWEST_CURSOR) >= self._service.log_end() - 1)


@contextmanager
def messages_on(database_url: str, redis_url: str) -> Iterator[tuple[Service, Messages]]:
    """Run a service that mails each notice at once. S has a batch."""
    with (
        mail_server() as mails,
        service_on(database_url, redis_url, SMTP_URL=mails.url, ALLOCATION_MAIL_WINDOW="0") as service,
        Listener(service.redis) as listener,
    ):
        service.api.add_batch("b1", "S", 100)
        yield service, Messages(service, listener, mails)

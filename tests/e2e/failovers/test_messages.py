"""Announcements and out-of-stock mails before, in and after a history that a failover loses."""

import re
from collections import Counter

import pytest

from tests.support.adapters.mailserver import MailServer, mail_server
from tests.support.api import Api
from tests.support.e2e.listener import Listener
from tests.support.eventually import eventually
from tests.support.failovers.replication import ReplicatedPostgres
from tests.support.failovers.service import service_on, suspended

BIGGEST_CURSOR = "SELECT max(cursor) FROM subscriptions"


def allocate(api: Api, name: str) -> None:
    """Allocate a line of S to the order <name>, and let a line of S wait in the order <name>-waits."""
    assert api.allocate(name, "S", 1).status == 202
    assert api.allocate(f"{name}-waits", "S", 1_000).status == 202


class Messages:
    """The messages that arrive, by order."""

    def __init__(self, listener: Listener, mails: MailServer) -> None:
        self._listener = listener
        self._mails = mails

    def announced(self) -> Counter[str]:
        return Counter(orderid for orderid, _ in self._listener.batches())

    def mailed(self) -> Counter[str]:
        texts = [mail.get_content() for mail in list(self._mails.mails)]
        return Counter(orderid for text in texts for orderid in re.findall("order '(.+)-waits'", text))

    def wait_for(self, name: str, times: int = 1) -> None:
        eventually(lambda: self.announced()[name] >= times and self.mailed()[name] >= times)


@pytest.mark.slow
def test_a_failover_repeats_and_loses_no_message(servers: ReplicatedPostgres, redis_url: str) -> None:
    """The standby has two events whose messages were sent while it was cut off. So its cursors are before them.

    A client repeats the lost commands. That causes new events, with the versions of the lost ones.
    """
    with (
        mail_server() as mails,
        service_on(servers.url, redis_url, SMTP_URL=mails.url, ALLOCATION_MAIL_WINDOW="0") as service,
        Listener(service.redis) as listener,
    ):
        messages = Messages(listener, mails)
        service.api.add_batch("b1", "S", 100)
        allocate(service.api, "first")
        messages.wait_for("first")
        with suspended(service.relay):
            allocate(service.api, "between")
            shared = service.log_end()
            servers.cut_off_standby()
        messages.wait_for("between")
        allocate(service.api, "lost")
        messages.wait_for("lost")
        with suspended(service.relay):
            servers.fail_over()
            assert service.log_end() == shared
            assert int(str(service.value(BIGGEST_CURSOR))) <= shared - 2, "the standby has a cursor after `between`"
            allocate(service.api, "lost")
            allocate(service.api, "new")
        messages.wait_for("lost", times=2)
        messages.wait_for("new")
        allocate(service.api, "last")
        messages.wait_for("last")
        assert service.value("SELECT epoch FROM log") == 2
        expected = Counter(first=1, between=1, lost=2, new=1, last=1)
        assert messages.announced() == expected
        assert messages.mailed() == expected
        service.assert_sound()

"""Announcements and out-of-stock mails before, in and after a lost history.

A client repeats the lost commands. That causes new events with the versions of the lost ones, and so new messages.
"""

from collections import Counter
from pathlib import Path

import pytest

from allocation.local.postgres import Postgres
from tests.support.eventually import eventually
from tests.support.failovers.messages import messages_on
from tests.support.failovers.replacement import restored_copy, swap_databases
from tests.support.failovers.replication import ReplicatedPostgres
from tests.support.processes import suspended

HIGHEST_CURSOR = "SELECT max(cursor) FROM subscriptions"
READ_EPOCH = "SELECT epoch FROM log"


@pytest.mark.slow
def test_a_failover_repeats_and_loses_no_message(servers: ReplicatedPostgres, redis_url: str) -> None:
    """The standby has two events whose messages were sent while it was cut off. So its cursors are before them."""
    with messages_on(servers.url, redis_url) as (service, messages):
        messages.allocate("first")
        messages.wait_for("first")
        with suspended(service.relay):
            messages.allocate("between")
            shared = service.log_end()
            servers.cut_off_standby()
        messages.allocate("lost")
        messages.wait_for("lost")
        messages.wait_until_recorded()
        with suspended(service.relay):
            servers.fail_over()
            assert service.log_end() == shared
            assert service.value(HIGHEST_CURSOR) <= shared - 2, "the standby has a cursor after `between`"
            messages.allocate("lost", "new")
        messages.wait_for("lost", times=2)
        messages.allocate("last")
        messages.wait_for("last")
        assert service.value(READ_EPOCH) == 2
        expected = Counter(first=1, between=1, lost=2, new=1, last=1)
        assert messages.announced() == expected
        assert messages.mailed() == expected
        service.assert_sound()


@pytest.mark.slow
def test_a_mail_that_outlasts_a_failover_hides_no_other(servers: ReplicatedPostgres, redis_url: str) -> None:
    """The relay waits for the mail server while the standby takes over. The mail is about an event that is lost."""
    with messages_on(servers.url, redis_url) as (service, messages):
        messages.allocate("first")
        messages.wait_for("first")
        messages.wait_until_recorded()
        servers.cut_off_standby()
        messages.mails.replies.clear()
        messages.allocate("lost")
        messages.wait_for("lost")
        servers.fail_over()
        eventually(lambda: service.value(READ_EPOCH) == 2)
        messages.mails.replies.set()
        messages.allocate("lost", "last")
        messages.wait_for("lost", times=2)
        messages.wait_for("last")


@pytest.mark.slow
def test_a_restore_repeats_and_loses_no_message(
    postgres: Postgres, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    """The restored log gets events at positions below the cursors of the running relay."""
    with messages_on(database_url, redis_url) as (service, messages):
        messages.allocate("first")
        messages.wait_for("first")
        messages.wait_until_recorded()
        with restored_copy(postgres, database_url, tmp_path / "dump") as restored:
            messages.allocate("lost", "lost-too")
            messages.wait_for("lost-too")
            messages.wait_until_recorded()
            cursor = service.value(HIGHEST_CURSOR)
            with suspended(service.relay):
                swap_databases(postgres, database_url, restored)
                messages.allocate("lost")
                assert service.log_end() < cursor
            messages.wait_for("lost", times=2)
            messages.allocate("last")
            messages.wait_for("last")
            assert service.value(READ_EPOCH) == 2
            expected = Counter({"first": 1, "lost": 2, "lost-too": 1, "last": 1})
            assert messages.announced() == expected
            assert messages.mailed() == expected
            service.assert_sound()

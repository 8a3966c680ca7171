"""The stock team gets one notice per SKU and window, and no notice is lost."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from allocation.adapters.postgres.notices import SqlNoticeHistory
from allocation.service_layer.out_of_stock import NotAccepted, Notice, NotSent, notify_stock_team
from tests.support.adapters.mailserver import MailServer
from tests.support.adapters.out_of_stock import mail_to, out_of_stock


def test_stock_team_gets_one_mail_per_sku_and_window(server: MailServer, engine: Engine) -> None:
    """Without the window, each line that has to wait would cause a mail."""
    start = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
    clock = [start]
    history = SqlNoticeHistory(engine, timedelta(minutes=10), now=lambda: clock[0])
    for minutes, skus in [(0, "STS"), (9, "ST"), (11, "SU")]:
        clock[0] = start + timedelta(minutes=minutes)
        notify_stock_team([out_of_stock(sku, version=minutes + 1) for sku in skus], mail_to(server.url), history)
    assert [subject[-1] for subject in server.subjects()] == ["S", "T", "S", "U"]


class PartlyFailing:
    """Notifications that fail for some SKUs. `sent` lists the SKUs of the others."""

    def __init__(self, failing: str, error: type[NotSent]) -> None:
        self.sent: list[str] = []
        self.failing = failing
        self._error = error

    def send(self, notice: Notice) -> None:
        sku = notice.subject[-1]
        if sku in self.failing:
            raise self._error
        self.sent.append(sku)


@pytest.mark.parametrize(
    ("error", "sent_at_first"),
    [pytest.param(NotSent, "S", id="server-fails"), pytest.param(NotAccepted, "SU", id="one-notice-fails")],
)
def test_failed_notice_is_sent_later_and_a_sent_one_is_not(
    error: type[NotSent], sent_at_first: str, engine: Engine
) -> None:
    """A window of zero would allow every notice again. Only new events may cause a second one."""
    notifications, history = PartlyFailing("T", error), SqlNoticeHistory(engine, timedelta(0))
    events = [out_of_stock(sku) for sku in "STU"]
    for _ in range(2):
        with pytest.raises(NotSent):
            notify_stock_team(events, notifications, history)
        assert notifications.sent == [*sent_at_first]
    notifications.failing = ""
    notify_stock_team(events, notifications, history)
    assert sorted(notifications.sent) == ["S", "T", "U"]
    notify_stock_team([out_of_stock("S", version=8)], notifications, history)
    assert notifications.sent[-1] == "S", "A new event must cause a new notice"

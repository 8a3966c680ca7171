"""The stock team gets one notice per SKU and window, and no notice is lost."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from allocation.adapters.postgres.notices import SqlNoticeHistory
from allocation.domain.events import LineState, OutOfStock, Totals
from allocation.service_layer.out_of_stock import NotAccepted, Notice, NotSent, Rejected, notify_stock_team
from allocation.service_layer.unit_of_work import LoggedEvent
from tests.support.adapters.event_log import append_logged
from tests.support.adapters.mailserver import MailServer
from tests.support.adapters.out_of_stock import mail_to


def log_event(engine: Engine, sku: str, version: int) -> LoggedEvent:
    event = OutOfStock(sku, version, Totals(0, 3, 12), (), LineState("o1", 5, "waiting", None))
    with engine.begin() as connection:
        [logged] = append_logged(connection, [event])
    return logged


def test_stock_team_gets_one_mail_per_sku_and_window(server: MailServer, engine: Engine) -> None:
    """Without the window, each line that has to wait would cause a mail."""
    start = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
    clock = [start]
    history = SqlNoticeHistory(engine, timedelta(minutes=10), now=lambda: clock[0])
    for minutes, skus in [(0, "STS"), (9, "ST"), (11, "SU")]:
        clock[0] = start + timedelta(minutes=minutes)
        events = [log_event(engine, sku, 10 * minutes + number) for number, sku in enumerate(skus, 1)]
        notify_stock_team(events, mail_to(server.url), history)
    assert [subject[-1] for subject in server.subjects()] == ["S", "T", "S", "U"]


class PartlyFailing:
    """Notifications that fail for some SKUs. `sent` lists the SKUs of the others."""

    def __init__(self, failing: str, error: type[Exception]) -> None:
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
    [
        pytest.param(NotSent, "S", id="server-fails"),
        pytest.param(NotAccepted, "SU", id="one-notice-fails"),
        pytest.param(Rejected, "SU", id="one-notice-is-rejected"),
    ],
)
def test_failed_notice_is_sent_later_and_a_sent_one_is_not(
    error: type[Exception], sent_at_first: str, engine: Engine
) -> None:
    """A window of zero would allow every notice again. Only new events may cause a second one."""
    notifications, history = PartlyFailing("T", error), SqlNoticeHistory(engine, timedelta(0))
    events = [log_event(engine, sku, 1) for sku in "STU"]
    for _ in range(2):
        with pytest.raises(error):
            notify_stock_team(events, notifications, history)
        assert notifications.sent == [*sent_at_first]
    notifications.failing = ""
    notify_stock_team(events, notifications, history)
    assert sorted(notifications.sent) == ["S", "T", "U"]
    notify_stock_team([log_event(engine, "S", 2)], notifications, history)
    assert notifications.sent[-1] == "S", "A new event must cause a new notice"


def test_a_lost_event_hides_no_later_one(engine: Engine) -> None:
    """Another server takes over while the notice is being sent. A new event then has the version of the lost one."""
    notifications, history = PartlyFailing("", NotSent), SqlNoticeHistory(engine, timedelta(0))
    lost = log_event(engine, "S", 1) | {"at": "2026-11-21T11:59:59.000+00:00"}
    for event in (lost, log_event(engine, "T", 1)):
        notify_stock_team([event], notifications, history)
    assert history.last_versions(["S", "T"]) == {"T": 1}

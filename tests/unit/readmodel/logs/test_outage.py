import logging

import pytest

from readmodel.outage import Outage


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_outage_is_logged_once_and_its_end_with_its_length(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    clock = Clock()
    outage = Outage(logging.getLogger("test"), clock)
    outage.over("Redis works")
    for clock.now in (0.0, 20.0, 47.0):
        outage.failed("Redis does not work", "refused")
    outage.over("Redis works")
    outage.over("Redis works")
    assert caplog.messages == ["Redis does not work: refused", "Redis works again after 47 s"]


def test_each_reason_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage(logging.getLogger("test"), Clock())
    for reason in ("refused", "time-out", "time-out", "refused"):
        outage.failed("Redis does not work", reason)
    assert caplog.messages == ["Redis does not work: refused", "Redis does not work: time-out"]

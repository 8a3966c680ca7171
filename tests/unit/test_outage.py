import logging

import pytest

from allocation.outage import Outage


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_outage_is_logged_once_and_its_end_with_its_length(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    clock = Clock()
    outage = Outage(logging.getLogger("test"), clock)
    outage.over("Redis works")
    for clock.now in (10.0, 20.0, 57.0):
        outage.failed("Redis does not work", "refused")
    outage.over("Redis works")
    outage.over("Redis works")
    assert caplog.messages == ["Redis does not work: refused", "Redis works again after 47 s"]


def test_another_reason_is_logged_too(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage(logging.getLogger("test"), Clock())
    outage.failed("Redis does not work", "refused")
    outage.failed("Redis does not work", "time-out")
    outage.failed("Redis does not work", "time-out")
    assert caplog.messages == ["Redis does not work: refused", "Redis does not work: time-out"]

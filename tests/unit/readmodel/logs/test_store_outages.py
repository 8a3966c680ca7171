"""An outage of a store takes two lines of a process, however many of its tasks meet it."""

import io
import logging

import pytest
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import OutOfMemoryError

from allocation.service_layer.unit_of_work import Busy, RetryableError, StoreUnavailable
from readmodel.outage import Outage, StoreOutages

REFUSED, CLOSED = (
    ConnectionLost("Error 111 connecting to h:1. Connection refused."),
    ConnectionLost("Connection closed"),
)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Process:
    """The log of a process with tasks."""

    def __init__(self) -> None:
        self._output = io.StringIO()
        self.clock = Clock()
        self._logger = logging.Logger("test")
        handler = logging.StreamHandler(self._output)
        handler.addFilter(StoreOutages())
        self._logger.addHandler(handler)

    def task(self) -> Outage:
        return Outage(self._logger, self.clock)

    def lines(self) -> list[str]:
        return self._output.getvalue().splitlines()


@pytest.fixture
def process() -> Process:
    return Process()


def test_the_first_and_the_last_task_log_an_outage(process: Process) -> None:
    first, second, clock = process.task(), process.task(), process.clock
    first.failed("The relay is interrupted", CLOSED)
    clock.now = 1.0
    second.failed("The mails are interrupted", REFUSED)
    first.failed("The relay is interrupted", REFUSED)
    clock.now = 40.0
    first.over("The relay works")
    clock.now = 47.0
    second.over("The mails are sent")
    assert process.lines() == [
        "Redis is unavailable. The relay is interrupted: Connection closed",
        "Redis is available again after 47 s. The mails are sent again after 46 s",
    ]


def test_two_stores_have_separate_outages(process: Process) -> None:
    task, other = process.task(), process.task()
    task.failed("The relay is interrupted", RetryableError("server closed the connection unexpectedly"))
    other.failed("Queries get a 503", REFUSED)
    other.over("Queries are answered")
    task.over("The relay works")
    assert process.lines() == [
        "The database is unavailable. The relay is interrupted: server closed the connection unexpectedly",
        f"Redis is unavailable. Queries get a 503: {REFUSED}",
        "Redis is available again after 0 s. Queries are answered again after 0 s",
        "The database is available again after 0 s. The relay works again after 0 s",
    ]


def test_a_reason_that_needs_an_operator_takes_a_further_line(process: Process) -> None:
    task, other = process.task(), process.task()
    task.failed("The relay is interrupted", StoreUnavailable("the database system is starting up"))
    task.failed("The relay is interrupted", StoreUnavailable("password authentication failed"))
    other.failed("The mails are interrupted", StoreUnavailable("password authentication failed"))
    assert process.lines() == [
        "The database is unavailable. The relay is interrupted: the database system is starting up",
        "The relay is interrupted: password authentication failed",
    ]


def test_one_task_can_meet_both_stores_in_one_outage(process: Process) -> None:
    task = process.task()
    task.failed("The relay is interrupted", REFUSED)
    task.failed("The relay is interrupted", StoreUnavailable("Connection refused"))
    process.clock.now = 3.0
    task.over("The relay works")
    assert process.lines()[2:] == [
        "Redis is available again after 3 s. The database is available again after 3 s. The relay works again after 3 s"
    ]


def test_a_second_outage_is_logged_like_the_first(process: Process) -> None:
    task = process.task()
    for _ in range(2):
        task.failed("Queries get a 503", OutOfMemoryError("used memory > 'maxmemory'"))
        task.over("Queries are answered")
    assert len(process.lines()) == 4


def test_other_outages_pass_unchanged(process: Process) -> None:
    """A lock that another session holds, or a mail server, is no store that is unavailable."""
    for reason in (Busy("canceling statement due to lock timeout"), "mail.example.com: Connection refused"):
        task = process.task()
        task.failed("It is interrupted", reason)
        task.over("It works")
    assert process.lines() == [
        "It is interrupted: canceling statement due to lock timeout",
        "It works again after 0 s",
        "It is interrupted: mail.example.com: Connection refused",
        "It works again after 0 s",
    ]


def test_an_outage_is_logged_while_an_earlier_task_is_idle(process: Process) -> None:
    """No command runs between two outages of the database. Only the health check runs."""
    command, check, clock = process.task(), process.task(), process.clock
    gone = StoreUnavailable("Connection refused")
    for moment in (10.0, 60.0):
        clock.now = moment
        if moment == 10.0:
            command.failed("Commands get a 503", gone)
        check.failed("The worker is not ready", gone)
        clock.now += 3.0
        check.over("The worker is ready")
    clock.now = 90.0
    command.over("Commands are executed")
    assert process.lines() == [
        "The database is unavailable. Commands get a 503: Connection refused",
        "The database is unavailable. The worker is not ready: Connection refused",
        "The database is available again after 3 s. The worker is ready again after 3 s",
        "Commands are executed again after 80 s",
    ]


def test_an_outage_lasts_while_an_earlier_task_still_fails(process: Process) -> None:
    """Redis refuses writes all the time. It also fails a query, and later answers one."""
    write, query, clock = process.task(), process.task(), process.clock
    for moment in (10.0, 20.0):
        clock.now = moment
        write.failed("Commands do not update the views", REFUSED)
        query.failed("Queries get a 503", REFUSED)
        query.over("Queries are answered")
        clock.now += 5.0
        write.failed("Commands do not update the views", REFUSED)
    query.failed("Queries get a 503", REFUSED)
    query.over("Queries are answered")
    clock.now = 40.0
    write.over("Commands update the views")
    assert process.lines()[-1] == "Redis is available again after 15 s. Commands update the views again after 30 s"
    assert [line for line in process.lines() if "available again" in line] == process.lines()[-1:]

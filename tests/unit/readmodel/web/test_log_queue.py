"""A thread writes the log of a web worker. No log call waits for its reader."""

import logging
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence

import pytest

from readmodel.web.answers import Answer
from readmodel.web.edge.access_log import AccessLog
from readmodel.web.edge.edge import Edge
from readmodel.web.edge.log_queue import LogQueue
from readmodel.web.edge.request import Request
from tests.support.edge_client import EdgeClient
from tests.support.eventually import eventually

ANSWERED = "Answered a request"


class Output(logging.Handler):
    """A writer of the log that blocks, with its lock, until somebody reads."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.readable = threading.Event(), threading.Event()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.entered.set()
        self.readable.wait()
        self.records.append(record)

    @property
    def messages(self) -> list[str]:
        return [record.getMessage() for record in self.records]


class Endpoint:
    """Serves /ok, and fails with a bug for other paths."""

    methods: Sequence[str] | None = None
    scope = None

    async def respond(self, request: Request) -> Answer:
        if request.path != "/ok":
            raise ZeroDivisionError
        return Answer(200, b"OK", "text/plain")


@pytest.fixture
def output() -> Iterator[Output]:
    """Yield the output of a process that keeps at most three records for it."""
    output, over, root = Output(), threading.Event(), logging.getLogger()
    before = {*threading.enumerate()}
    queue = LogQueue(output, most_waiting=3, is_over=over.is_set)
    [thread] = {*threading.enumerate()} - before
    root.addHandler(queue)
    level, root.level = root.level, logging.INFO
    yield output
    root.removeHandler(queue)
    root.level = level
    output.readable.set()
    over.set()
    thread.join()


def test_a_slow_reader_of_the_log_delays_no_request(output: Output) -> None:
    """If a request waited for the reader, this test would not end."""
    client = EdgeClient(Edge({}, Endpoint(), access_log=AccessLog()))
    client.get("/ok")
    output.entered.wait()
    for _ in range(4):
        client.get("/ok")
    assert client.get("/bug").status == 500  # Its error and its access do not fit either.
    client.close()
    assert output.messages == []
    output.readable.set()
    eventually(lambda: len(output.messages) == 5)
    assert output.messages == [ANSWERED, "The log lacks 3 records, because it was read too slowly", *[ANSWERED] * 3]


def test_a_bug_that_ends_the_process_is_never_dropped(output: Output) -> None:
    for number in range(9):
        logging.getLogger("test").warning("Line %s", number)
    logging.getLogger("test").critical("A bug ends the process")
    output.readable.set()
    eventually(lambda: "A bug ends the process" in output.messages)


def test_a_waiting_record_keeps_its_text_and_no_objects(output: Output) -> None:
    items = [1]
    try:
        raise ValueError(items)
    except ValueError:
        logging.getLogger("test").exception("Items: %s", items, extra={"store": "Redis"})
    items.append(2)
    output.readable.set()
    eventually(lambda: len(output.records) == 1)
    [record] = output.records
    assert (record.getMessage(), vars(record)["store"]) == ("Items: [1]", "Redis")
    assert (record.exc_info, record.args) == (None, None)
    assert "ValueError: [1]" in (record.exc_text or "")


@pytest.mark.parametrize("end", ["raise SystemExit(1)", "raise ZeroDivisionError", "pass"])
def test_a_process_writes_its_last_records(end: str) -> None:
    program = f"""
import logging
from readmodel import logs
from readmodel.web.edge.log_queue import LogQueue
logs.configure("serve", logs.JSON, LogQueue)
for number in range(2_000):
    logging.getLogger("test").warning("Line %s", number)
{end}
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    lines = ended.stderr.splitlines()
    assert [line for line in lines if "Line 1999" in line]
    assert len(lines) == (2_001 if "Zero" in end else 2_000)
    assert ("A bug ends the process" in lines[-1]) == ("Zero" in end)

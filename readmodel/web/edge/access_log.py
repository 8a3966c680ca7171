"""The access log: one record for each request that the process has answered."""

import logging
import threading
import time
from queue import Empty, SimpleQueue
from typing import NamedTuple

from readmodel.web.edge.request import Request

logger = logging.getLogger(__name__)

MOST_WAITING = 10_000
POLL = 0.25
MESSAGE = "Answered a request"


class Line(NamedTuple):
    at: float
    method: str
    path: str
    status: int
    milliseconds: float
    bytes: int
    actor: str | None
    correlation_id: str


class AccessLog:
    """A thread writes the records. So a slow reader of the log delays no request.

    If MOST_WAITING records wait, it drops further ones, and later logs their number.
    """

    def __init__(self, most_waiting: int = MOST_WAITING) -> None:
        self._most_waiting = most_waiting
        self._waiting = SimpleQueue[Line]()
        self._dropped = 0  # Only the event loop changes it.
        self._thread: threading.Thread | None = None

    def add(self, request: Request, status: int, seconds: float) -> None:
        """Log the answer. Only the event loop of the process calls this method."""
        if self._thread is None:  # Not earlier: a thread does not survive a fork.
            self._thread = threading.Thread(target=self._write_all, name="access log")
            self._thread.start()
        if self._waiting.qsize() >= self._most_waiting:
            self._dropped += 1
            return
        answered = (request.method, request.path, status, round(seconds * 1_000, 2), request.sent)
        self._waiting.put(Line(time.time(), *answered, request.caller, request.correlation_id))

    def _write_all(self) -> None:
        """Write until the main thread has ended and no record waits. It is no daemon, so the process waits for it."""
        reported = 0
        while True:
            try:
                write(self._waiting.get(timeout=POLL))
            except Empty:
                if not threading.main_thread().is_alive():
                    return
            if missing := self._dropped - reported:
                logger.warning("The access log lacks %s requests, because it was written too slowly", missing)
                reported += missing


def write(line: Line) -> None:
    fields = line._asdict()
    at = fields.pop("at")
    record = logger.makeRecord(logger.name, logging.INFO, __file__, 0, MESSAGE, (), None, extra=fields)
    record.created = at  # The record may have waited.
    logger.handle(record)

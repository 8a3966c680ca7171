"""The log of a web worker. A thread writes it, so that no log call waits for a slow reader of the log."""

import logging
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

logger = logging.getLogger(__name__)

MOST_WAITING = 10_000
POLL = 0.25


def process_ends() -> bool:
    return not threading.main_thread().is_alive()


class LogQueue(logging.Handler):
    """Passes all records to `writer`, in a thread. The process waits at its end until that thread has written them.

    If `most_waiting` records wait, it drops further ones, and later logs their number. It drops no record of a bug that
    ends a process or a thread. Create it in the process that logs: a thread does not survive a fork.
    """

    def __init__(
        self,
        writer: logging.Handler,
        most_waiting: int = MOST_WAITING,
        is_over: Callable[[], bool] = process_ends,
    ) -> None:
        super().__init__()
        self._writer = writer
        self._most_waiting = most_waiting
        self._is_over = is_over
        self._waiting = SimpleQueue[logging.LogRecord]()
        self._dropped = 0  # Only `emit` changes it.
        self._has_ended = False
        threading.Thread(target=self._write_all, name="log").start()  # No daemon: the process waits for it.

    def emit(self, record: logging.LogRecord) -> None:
        """Take the record. `logging` holds the lock of this handler meanwhile, and the thread never blocks with it."""
        try:
            self._take(as_text(record))
        except Exception:
            self.handleError(record)

    def _take(self, record: logging.LogRecord) -> None:
        if self._has_ended:  # The main thread has ended, too, so nobody waits.
            self._writer.handle(record)
        elif self._waiting.qsize() < self._most_waiting or record.levelno >= logging.CRITICAL:
            self._waiting.put(record)
        else:
            self._dropped += 1

    def _write_all(self) -> None:
        reported = 0
        while not self._has_ended:
            try:
                self._writer.handle(self._waiting.get(timeout=POLL))
            except Empty:
                self._end_if_over()
            if missing := self._dropped - reported:
                self._writer.handle(note(missing))
                reported += missing

    def _end_if_over(self) -> None:
        self.acquire()  # No thread adds a record between the last look and the end.
        try:
            self._has_ended = self._is_over() and self._waiting.empty()
        finally:
            self.release()


def as_text(record: logging.LogRecord) -> logging.LogRecord:
    """Return the record without the arguments and the traceback: they can change, and keep large objects alive."""
    if not record.args and not record.exc_info:
        return record
    waiting = logging.makeLogRecord(vars(record))
    waiting.msg, waiting.args = record.getMessage(), None
    if record.exc_info:
        waiting.exc_text = logging.Formatter().formatException(record.exc_info)
        waiting.exc_info = None
    return waiting


def note(missing: int) -> logging.LogRecord:
    message = "The log lacks %s records, because it was read too slowly"
    return logger.makeRecord(logger.name, logging.WARNING, __file__, 0, message, (missing,), None)

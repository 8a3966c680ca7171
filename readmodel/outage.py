"""The start and the end of outages in the log: of a task, and of a store for a whole process."""

import logging
import re
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

MOST_REASONS = 20
REDIS, DATABASE = "Redis", "database"
SHOWN = {REDIS: "Redis", DATABASE: "The database"}
UNREACHABLE = re.compile(
    r"can't be reached|refused|reset|closed|lost|broken pipe|Error \d+ |timed out|time-?out|not replied|starting up"
    "|shutting down|terminating|recovery|loading",
    re.IGNORECASE,
)
"""Recognises a reason that says no more than that a store is gone. In an outage, it often changes."""


class Note(NamedTuple):
    """What a record says about the outage of a task: its start or a new reason in `store`, or its end (None)."""

    task: "Outage"
    store: str | None
    reason: str
    at: float


class Outage:
    """Logs the start and the end of an outage of a task, and not each retry. Any number of threads may share it."""

    def __init__(self, logger: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._logger = logger
        self._clock = clock
        self._lock = threading.Lock()
        self._since: float | None = None
        self._last_failed = 0.0
        self._reasons = set[str]()

    @property
    def last_failed(self) -> float:
        """The moment of the last failure, by the clock."""
        return self._last_failed

    def failed(self, effect: str, reason: object) -> None:
        """Log the effect with each new reason of this outage, up to MOST_REASONS."""
        with self._lock:
            self._last_failed = self._clock()
            if self._since is None:
                self._since = self._last_failed
            is_new = str(reason) not in self._reasons and len(self._reasons) < MOST_REASONS
            if is_new:
                self._reasons.add(str(reason))
        if is_new:
            store = store_of(reason)
            note = Note(self, store, str(reason), self._clock()) if store else None
            self._logger.warning("%s: %s", effect, reason, extra={"store": store, "outage": note})

    def over(self, effect: str) -> bool:
        """If there was an outage, log how long it took, and return True."""
        if self._since is None:
            return False
        with self._lock:
            since, self._since = self._since, None
            self._reasons.clear()
        if since is not None:
            now = self._clock()
            extra = {"seconds": round(now - since, 1), "outage": Note(self, None, "", now)}
            self._logger.info("%s again after %.0f s", effect, now - since, extra=extra)
        return since is not None


def store_of(reason: object) -> str | None:
    """Return the store that is unavailable, if the reason is an error of a store. Other errors name it themselves."""
    from redis.exceptions import RedisError  # Not earlier: every subcommand imports this module.

    return REDIS if isinstance(reason, RedisError) else getattr(reason, "store", None)


class Down:
    """A store that is unavailable, since a moment, for these tasks. `worked` is when it last worked for another one."""

    def __init__(self, since: float, tasks: set[Outage]) -> None:
        self.since = since
        self.worked: float | None = None
        self.tasks = tasks
        self.reasons = set[str]()

    def still(self) -> set[Outage]:
        """Return the tasks that have failed since the store last worked. The others may just not have run again."""
        return {task for task in self.tasks if self.worked is None or task.last_failed > self.worked}


class StoreOutages(logging.Filter):
    """Replaces what the tasks of a process log about a store: one line when it fails, and one when all work again.

    A filter of the handler sees the records of all tasks. A new reason takes a further line, unless it only says once
    more that the store is gone. If a task works again and then fails, that is another outage, even if
    further tasks have not run in between.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._down: dict[str, Down] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        note: Note | None = getattr(record, "outage", None)
        if note is None:
            return True
        with self._lock:
            return self._begins(record, note, note.store) if note.store else self._ends(record, note)

    def _begins(self, record: logging.LogRecord, note: Note, store: str) -> bool:
        earlier = self._down.get(store)
        is_first = earlier is None or (earlier.worked is not None and note.task not in earlier.tasks)
        if is_first:
            self._down[store] = Down(note.at, earlier.still() if earlier else set())
        down = self._down[store]
        down.tasks.add(note.task)
        # The check of a worker knows only the beginning of a reason that a command knows.
        is_known = any(note.reason.startswith(known) or known.startswith(note.reason) for known in down.reasons)
        is_news = not is_known and not UNREACHABLE.search(note.reason)
        down.reasons.add(note.reason)
        if is_first:
            rewrite(record, f"{SHOWN[store]} is unavailable. {record.getMessage()}")
        return is_first or is_news

    def _ends(self, record: logging.LogRecord, note: Note) -> bool:
        """Pass the end of another outage. Rewrite the end of the last task that a store was unavailable for."""
        known = [store for store, down in self._down.items() if note.task in down.tasks]
        for store in known:
            self._down[store].tasks.discard(note.task)
            self._down[store].worked = note.at
        over = {store: self._down.pop(store) for store in known if not self._down[store].tasks}
        for store, down in over.items():
            record.__dict__ |= {"store": store, "seconds": round(note.at - down.since, 1)}
        if over:
            ends = [f"{SHOWN[store]} is available again after {note.at - over[store].since:.0f} s" for store in over]
            rewrite(record, ". ".join([*ends, record.getMessage()]))
        return bool(over) or not known


def rewrite(record: logging.LogRecord, message: str) -> None:
    record.msg, record.args = message, None

"""Follows the log and applies the events that a generation lacks. Several processes may do so concurrently."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

from readmodel.projector.fold import Projection
from readmodel.projector.parking import Letters, applicable
from readmodel.store.errors import HistoryChanged, ModelAbsent, ModelDamaged
from readmodel.store.functions import Step
from readmodel.store.records.progress import BucketProgress, Progress
from readmodel.store.store import Store


class History(Protocol):
    """The log's present history: its random name, and its number. A log that may have lost events gets a new one."""

    @property
    def identity(self) -> str: ...
    @property
    def epoch(self) -> int: ...


class Page(Collection[Mapping[str, Any]], Protocol):
    """Events of the log, as whole transactions in order. `texts` has the same events as JSON text.

    `mark` names the last event at or below the new cursor. `end` is the last assigned position.
    """

    mark: str
    end: int

    @property
    def texts(self) -> Sequence[str]: ...


class Log(Protocol):
    """Any thread may call its methods. `letters` are the dead letters of the views."""

    @property
    def letters(self) -> Letters: ...

    def identity(self) -> str:
        """Return the random name of the log's present history."""

    def history(self, applied: Collection[BucketProgress] = ()) -> History:
        """Return the log's present history. First begin a new epoch if the log may have lost events.

        That is so if it lacks what readers have `applied`, or if it is on another server than before.
        """

    def end(self) -> int:
        """Return the last assigned position. Events up to it may still be uncommitted."""

    def read(self, after: int, limit: int = ..., *, beyond_fence: bool = False) -> tuple[Page, int]:
        """Return about `limit` events after position `after`, and the new cursor.

        The reader has then received every event at or below that cursor. The cursor stays at `after` until a later
        position is final. A reader that goes beyond the fence misses the events that are not committed yet.
        """


FENCE_PATIENCE = 1.0
"""Seconds. A transaction usually ends a few milliseconds after it has appended its events."""


class Completeness:
    """Finds the moment up to which the live views show every commit."""

    def __init__(self) -> None:
        self._waiting: tuple[int, int] | None = None
        self._server, self._unproven_since = "", 0

    def complete_at(self, progress: Progress, end: int) -> int | None:
        """Return the latest moment that `progress` proves, or None. The caller must read `end` after `progress`.

        The views show every commit before this moment: its position is at most the end that was read later.
        """
        if progress.replication_id != self._server:
            self._server, self._unproven_since = progress.replication_id, progress.moment
            self._waiting = None  # The former server's cursors prove nothing about this one.
        if progress.cursor >= end:
            self._waiting, self._unproven_since = None, 0
            return progress.moment
        proven = None
        if self._waiting is not None and progress.cursor >= self._waiting[1]:
            proven, self._waiting, self._unproven_since = self._waiting[0], None, 0
        self._waiting = self._waiting or (progress.moment, end)
        return proven

    def may_pass_fence_once(self, progress: Progress) -> bool:
        """Return True at most once per Redis server, if an open transaction has prevented the proof for FENCE_PATIENCE.

        Queries get a 503 until then.
        """
        since = self._unproven_since
        if not since or progress.moment - since < FENCE_PATIENCE * 1_000:
            return False
        self._unproven_since = 0
        return True


def ignore(_: int) -> None:
    return


def follow(
    store: Store,
    log: Log,
    projection: Projection,
    completeness: Completeness | None = None,
    applied: Callable[[int], object] = ignore,
) -> int:
    """Advance the live generation by one page. Return the number of positions that it moved.

    `applied` gets the number of events of the page when the views show them.
    Return 0 if there is no new event, or if Redis refused the page. Advance the other generation first. Otherwise a
    switch would show readers older states. With a `completeness`, also store the heartbeat.

    Raise ModelAbsent if a part of the live generation is missing, and HistoryChanged if it shows another history. Also
    raise the errors of the log and of Redis.
    """
    live = store.generations().live
    progress = store.progress(live) if live else None
    if live is None or progress is None:
        raise ModelAbsent
    page, position = log.read(progress.cursor)
    # Check after the read. Otherwise the page could be that of a server that took over after the check.
    identity = log.history(progress.buckets).identity
    require_history(store, live, progress, identity)
    if completeness and (moment := completeness.complete_at(progress, page.end)) is not None:
        store.beat(progress.replication_id, moment)
    if position == progress.cursor:
        if completeness and completeness.may_pass_fence_once(progress):
            apply_beyond_fence(store, log, projection, live, progress, page.end)
            store.beat(progress.replication_id, progress.moment)
        return 0
    other = store.generations().other  # After log.read: a rebuild that starts later reads these events itself.
    if other is not None:
        with suppress(ModelAbsent):
            advance(store, log, projection, other)
    step = Step(progress.cursor, position, page.mark)
    writes = applicable(store, log.letters, projection, page, live, identity)
    if not store.advance(live, writes, identity, step):
        return 0
    applied(len(page))
    return position - progress.cursor


def apply_beyond_fence(
    store: Store, log: Log, projection: Projection, generation: str, progress: Progress, end: int
) -> None:
    """Apply the committed events after the cursor and up to `end`. The cursors stay: the relay applies them again."""
    cursor, [identity] = progress.cursor, progress.identities
    while cursor < end:
        page, cursor = log.read(cursor, beyond_fence=True)
        writes = applicable(store, log.letters, projection, page, generation, identity)
        if not store.advance(generation, writes, identity, None):
            raise ModelAbsent


def readable_progress(store: Store, live: str | None) -> Progress | None:
    """Return the progress of the live generation, or None if it is missing or damaged."""
    try:
        return None if live is None else store.progress(live)
    except ModelDamaged:
        return None


def require_history(store: Store, live: str, progress: Progress, identity: str) -> None:
    """Mark the generation as suspect and raise HistoryChanged if it shows another history than this one."""
    if progress.identities != {identity}:
        store.suspect(live)
        raise HistoryChanged


def advance(store: Store, log: Log, projection: Projection, generation: str) -> bool:
    """Advance a generation by one page. Return True if all its cursors moved.

    Start at the cursors in Redis. If a failover loses writes, it also resets the cursors, so these events are repeated.
    Raise ModelAbsent if a bucket is missing, and HistoryChanged if the generation shows another history.
    """
    progress = store.progress(generation)
    if progress is None:
        raise ModelAbsent
    page, position = log.read(progress.cursor)
    identity = log.identity()
    if progress.identities != {identity}:
        raise HistoryChanged
    step = Step(progress.cursor, position, page.mark)
    writes = applicable(store, log.letters, projection, page, generation, identity)
    return position > progress.cursor and store.advance(generation, writes, identity, step)

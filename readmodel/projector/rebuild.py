"""Rebuilds the views from the log into a new generation, and switches to it. Readers use the live generation meanwhile.

1. Fill the new generation, which no other process knows yet.
2. Announce it. From now on, every writer writes both generations. A writer checks for announcements before it returns.
3. Read the log's end and catch up with it. A writer that returned earlier wrote only the live generation. If an open
   transaction holds the log back, also apply the committed events beyond it.
   If the views can't apply an event, apply the state of its product instead.
4. Check that each product's totals are as new as the log. Compare the views with the former ones.
5. Switch, and store the heartbeat. Writers still write the former generation until it is dropped.

If a rebuild is killed, the live generation is unchanged. The next rebuild deletes the remains.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import NamedTuple

from redis import Redis
from redis.exceptions import RedisError

from readmodel.projector.compare import Report, compared
from readmodel.projector.fill import ModelLost, Progress, fill, outdated_totals
from readmodel.projector.fold import Projection
from readmodel.projector.follow import FENCE_PATIENCE, History, Log, advance, apply_beyond_fence, readable_progress
from readmodel.projector.parking import Parked, apply_states
from readmodel.projector.usable_generations import replaced_generations
from readmodel.store import generations
from readmodel.store.errors import HistoryChanged, ModelAbsent, ModelDamaged
from readmodel.store.formats import DEFAULT, Format
from readmodel.store.generations import Generations
from readmodel.store.records.progress import Progress as GenerationProgress
from readmodel.store.store import Store

logger = logging.getLogger(__name__)

POLL = 0.02
MOST_SHOWN = 4_000
"""Characters of the report on the former views."""


class Rebuilt(NamedTuple):
    """The number of events, and how the former views differed.

    `former` is None if nothing was compared: see `compared`. `parked` are the events that the views can't apply.
    """

    events: int
    former: Report | None
    parked: Sequence[Parked] = ()

    def __str__(self) -> str:
        former = "" if self.former is None else f". {str(self.former)[:MOST_SHOWN]}"
        return f"Rebuilt the views from {self.events} events{self._parked()}{former}"

    def _parked(self) -> str:
        if not self.parked:
            return ""
        first = self.parked[0]
        noun = "event" if len(self.parked) == 1 else "events"
        return (
            f". They can't apply {len(self.parked)} {noun}, for example that at position {first.position} "
            f"({first.reason}), and show the state instead"
        )


class RebuildFailed(Exception):
    """The rebuild failed. If it had not switched yet, it left the live generation unchanged."""


def rebuild(
    store: Store,
    log: Log,
    projection: Projection,
    progress: Progress = lambda *_: None,
    target: Format = DEFAULT,
) -> Rebuilt:
    """Build a new generation of this format from the log and make it live.

    It replaces a generation of an unknown format. Only one rebuild may run at a time. Raise RebuildFailed, and the
    errors of the log, Redis and `progress`.
    """
    store.install(projection.cached_members)
    with losses_reported():
        found = replaced_generations(store)
        before = Generations(found.live)
        swap(store, found, before)
        generations.drop_all_but(store.redis, store.names, before.live)
        (history, former), server = present_history(store, log, before.live), store.replication_id()
        new = generations.new_name(store.redis, store.names, before.live, target)
        events, end, versions, parked = fill(store, log, projection, new, history, progress)
        with announced(store, before, Generations(before.live, new)) as both:
            apply_states(store, log.letters, projection, new, history.identity, parked)
            start = catch_up(store, log, projection, before.live, new)
            check_totals(store.redis, new, versions)
            report = compared(store, before.live, new)
            require_unchanged(store, log, history, server)
            swap(store, both, Generations(new, former))
        # After the switch: earlier, the heartbeat would remove the warning from the former views.
        store.beat(server, start.moment)
        if former is not None:
            swap(store, Generations(new, former), Generations(new))
    generations.drop_all_but(store.redis, store.names, new)
    log.letters.keep_only([event.position for event in parked], end)
    return Rebuilt(events, report, parked)


@contextmanager
def losses_reported() -> Iterator[None]:
    try:
        yield
    except (ModelAbsent, ModelLost) as error:
        raise RebuildFailed("Redis lost data, or another process has rebuilt the views in the meantime") from error


@contextmanager
def announced(store: Store, before: Generations, both: Generations) -> Iterator[Generations]:
    """Announce the new generation, and withdraw it if the rest of the rebuild fails."""
    swap(store, before, both)
    try:
        yield both
    except BaseException:
        with suppress(RedisError):
            generations.swap(store.redis, store.names, both, before)
        raise


def present_history(store: Store, log: Log, live: str | None) -> tuple[History, str | None]:
    """Return the log's history, and the live generation if writers can still write it after the switch.

    If it shows another history, they can't. It is then suspect until the switch.
    """
    progress = readable_progress(store, live)
    history = log.history(progress.buckets if progress else ())
    if live is not None and progress is not None and progress.identities != {history.identity}:
        store.suspect(live)
        return history, None
    return history, live


def require_unchanged(store: Store, log: Log, history: History, server: str) -> None:
    """Raise HistoryChanged if the log has begun another history meanwhile.

    Raise ModelLost if Redis has restarted or failed over. It may then lack a part of a page whose position it has.
    """
    if log.history().identity != history.identity:
        raise HistoryChanged
    if store.replication_id() != server:
        raise ModelLost


def catch_up(store: Store, log: Log, projection: Projection, live: str | None, new: str) -> GenerationProgress:
    """Advance the new generation to the end of the log and to the live generation's cursor.

    Return the progress at its start: the new views show every commit before that moment. A live cursor of another
    history does not count. If an open transaction holds the log back for FENCE_PATIENCE seconds, apply the
    committed events beyond it instead.
    """
    start, end, identity = require_progress(store, new), log.end(), log.identity()
    reached, deadline = start, time.monotonic() + FENCE_PATIENCE
    while reached.cursor < max(end, cursor_of(store, live, identity)):
        if advance(store, log, projection, new):
            deadline = time.monotonic() + FENCE_PATIENCE
        elif time.monotonic() < deadline:
            time.sleep(POLL)
        else:
            apply_beyond_fence(store, log, projection, new, reached, end)
            break
        reached = require_progress(store, new)
    return start


def require_progress(store: Store, generation: str) -> GenerationProgress:
    progress = store.progress(generation)
    if progress is None:
        raise ModelAbsent
    return progress


def cursor_of(store: Store, generation: str | None, identity: str) -> int:
    """Return the position of a generation, or 0 if it is missing or damaged."""
    if generation is None:
        return 0
    try:
        return store.cursor(generation, identity) or 0
    except ModelDamaged:
        return 0


def check_totals(redis: Redis, new: str, versions: dict[str, int]) -> None:
    outdated = outdated_totals(redis, new, versions)
    if outdated:
        raise RebuildFailed(f"{len(outdated)} products do not match the log, for example {outdated[0]!r}")


def swap(store: Store, expected: Generations, new: Generations) -> None:
    if not generations.swap(store.redis, store.names, expected, new):
        raise ModelLost

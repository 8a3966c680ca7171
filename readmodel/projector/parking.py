"""Parks the events that the views can't apply, and applies the state of their products instead.

A register needs no event: the state has the same versions. So the views show the effect of a parked event, and the
cursor may pass it. Only the history of an order may lack the event.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import orjson

from readmodel.projector.faulty_events import fold_items, fold_state, fold_texts
from readmodel.projector.fold import Projection
from readmodel.store.errors import ModelAbsent
from readmodel.store.formats import format_of
from readmodel.store.functions import Write
from readmodel.store.store import Store

logger = logging.getLogger(__name__)

MOST_LOGGED = 20
"""Events of a page. After a bug in a view, a page may have thousands of such events."""


class Parked(Protocol):
    """An event that the views can't apply. `is_new` says whether it was parked just now."""

    @property
    def position(self) -> int: ...
    @property
    def sku(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def type(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def is_new(self) -> bool: ...


class Letters(Protocol):
    """The dead letters of the views."""

    def park(self, page: Any, reasons: Mapping[str, str]) -> Sequence[Parked]:
        """Store the events of the page that have one of these texts, each with its reason. Return them."""

    def states(self, sku: str, since: int) -> Iterator[Sequence[Mapping[str, Any]]]:
        """Yield pages of events with the state of the product and of its rows that have changed since that version."""

    def keep_only(self, positions: Sequence[int], upto: int) -> None:
        """Remove the letters up to position `upto`, except these."""

    def retries(self) -> Sequence[tuple[Parked, str]]:
        """Return the events that an operator wants to retry, and their texts in the log."""

    def settle(self, position: int, error: str | None) -> None:
        """Remove a letter that was applied, or store why it failed again."""


def applicable(
    store: Store, letters: Letters, projection: Projection, page: Any, generation: str, identity: str
) -> list[Write]:
    """Return the writes of a page. Park the events that the views can't apply, and apply the state instead of them.

    So the generation shows the effect of each event of the page, before its cursor passes the page.
    """
    folded = fold_texts(projection, page.texts, format_of(generation))
    apply_states(store, letters, projection, generation, identity, park(letters, page, folded.faulty))
    return folded.writes


def park(letters: Letters, page: Any, faulty: Sequence[tuple[str, str]]) -> list[Parked]:
    """Park the faulty events of a page: their texts and reasons. Log each event once, and return all of them."""
    if not faulty:
        return []
    parked = list(letters.park(page, dict(faulty)))
    log_new([event for event in parked if event.is_new])
    return parked


def log_new(parked: Sequence[Parked]) -> None:
    for event in parked[:MOST_LOGGED]:
        logger.error(
            "The views can't apply the event at position %s (%s, version %s, %s), and show the state instead: %s",
            event.position,
            event.sku,
            event.version,
            event.type,
            event.reason,
        )
    if len(parked) > MOST_LOGGED:
        logger.error("The views can't apply %s further events: see allocation dead list", len(parked) - MOST_LOGGED)


def apply_states(
    store: Store, letters: Letters, projection: Projection, generation: str, identity: str, parked: Iterable[Parked]
) -> None:
    """Apply the state of each product with a parked event, as far as it has changed since that event.

    Raise ModelAbsent if a bucket is missing or shows another history.
    """
    since = dict[str, int]()
    for event in parked:
        since[event.sku] = min(event.version, since.get(event.sku, event.version))
    for sku, version in since.items():
        for events in letters.states(sku, version):
            if not store.advance(generation, fold_state(projection, events, format_of(generation)), identity, None):
                raise ModelAbsent
    if since:
        store.invalidate_caches()  # The state of a batch does not say that its ETA has changed.


def retry_parked(store: Store, letters: Letters, projection: Projection, identity: str) -> None:
    """Apply the events that an operator wants to retry. Park those that fail again. Raise ModelAbsent."""
    for event, text in letters.retries():
        error = None
        for generation in store.generations().written:
            folded = fold_items(projection, [text], orjson.loads, format_of(generation))
            if not store.advance(generation, folded.writes, identity, None):
                raise ModelAbsent
            error = next((reason for _, reason in folded.faulty), error)
        letters.settle(event.position, error)
        if error is None:
            store.invalidate_caches()
            logger.info("The views have applied the parked event at position %s", event.position)

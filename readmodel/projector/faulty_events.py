"""Finds the events that the views can't apply, for example because a member is missing.

A fold only computes. So any error of a fold is the fault of an event or of a view, and not of a store.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import orjson

from readmodel.faults import reason_of
from readmodel.projector.fold import Projection
from readmodel.store.formats import Format
from readmodel.store.functions import Write

T = TypeVar("T")
Event = Mapping[str, Any]

LOGGED = frozenset({"type", "at", "why", "actor"})
"""The members that the state of a line has from its last event in the log."""


class Folded(NamedTuple, Generic[T]):
    """The writes of the other events, the last version of each of their products, and the faulty items.

    `faulty` has each item with the reason why the views can't apply it.
    """

    writes: list[Write]
    versions: dict[str, int]
    faulty: list[tuple[T, str]]


def fold_texts(projection: Projection, texts: Sequence[str], target: Format) -> Folded[str]:
    """Fold events that are JSON text. Leave out those that the views can't apply."""
    return fold_items(projection, texts, orjson.loads, target)


def fold_items(projection: Projection, items: Sequence[T], event_of: Callable[[T], Event], target: Format) -> Folded[T]:
    """Fold the events of these items. Leave out those that the views can't apply, and find out which they are."""
    try:
        return fold_all(projection, map(event_of, items), [], target)
    except Exception:  # The next function finds the event that is at fault.
        return fold_others(projection, items, event_of, target)


def fold_all(projection: Projection, events: Iterable[Event], faulty: list[tuple[T, str]], target: Format) -> Folded[T]:
    """Fold all events now. A generator would raise its error only when a caller has used some of its writes."""
    versions = dict[str, int]()
    writes = list(projection.fold(noting_versions(events, versions), target))
    return Folded(writes, versions, faulty)


def fold_others(
    projection: Projection, items: Sequence[T], event_of: Callable[[T], Event], target: Format
) -> Folded[T]:
    others, faulty = list[tuple[T, Event]](), list[tuple[T, str]]()
    for item in items:
        try:
            event = event_of(item)
            fold_all(projection, [event], [], target)
        except Exception as error:
            faulty.append((item, reason_of(error)))
        else:
            others.append((item, event))
    while True:
        try:
            return fold_all(projection, (event for _, event in others), faulty, target)
        except Exception as error:  # Each of them can be folded alone, but not together with earlier ones.
            item, _ = others.pop(first_failing(projection, [event for _, event in others], target))
            faulty.append((item, reason_of(error)))


def first_failing(projection: Projection, events: Sequence[Event], target: Format) -> int:
    """Return the index of an event that can't be folded after the earlier ones. The fold of all events fails."""
    works, fails = 0, len(events)
    while fails - works > 1:
        middle = (works + fails) // 2
        try:
            fold_all(projection, events[:middle], [], target)
            works = middle
        except Exception:
            fails = middle
    return works


def noting_versions(events: Iterable[Event], versions: dict[str, int]) -> Iterator[Event]:
    """Yield the events, and note the last version of each product. Raise TypeError if a version is no number."""
    for event in events:
        sku, version = event["sku"], event["version"]
        if type(version) is not int or not isinstance(sku, str):
            raise TypeError(f"the SKU is {sku!r}, and the version {version!r}")
        versions[sku] = version
        yield event


def fold_state(projection: Projection, events: Sequence[Event], target: Format) -> list[Write]:
    """Return the writes that follow from a state: see `State.events_of`.

    The state of a line has members of its last event in the log. If they are faulty, leave them out, and the history.
    Every view can apply an event of the type "State".
    """
    try:
        return list(projection.fold(events, target))
    except Exception:
        known = [
            {name: value for name, value in event.items() if name not in LOGGED} | {"type": "State"} for event in events
        ]
        return list(projection.fold(known, target._replace(kept=0)))

"""Folds events to the writes of the views. Live updates and rebuilds use the same fold."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Protocol

from readmodel.store.formats import Format
from readmodel.store.functions import Write
from readmodel.store.reads.consistency import WrittenRegister
from readmodel.views.kinds import Kind


class View(Protocol):
    """Collects the events of one page for a generation of the given format.

    `cached_members` maps a field to the JSON member that readers cache.
    """

    cached_members: ClassVar[dict[str, str]]

    def __init__(self, target: Format) -> None: ...

    def apply(self, event: Mapping[str, Any]) -> None:
        """Keep the states in the event, unless the view already keeps newer states."""

    def writes(self) -> Iterator[Write]:
        """Yield the last state of each register, and the entries of lists of events."""

    @staticmethod
    def written(event: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield the key and the field of each register that the event sets, where queries look for it.

        A query with a consistency token relies on them: without one of them, it would answer too early.
        """

    @staticmethod
    def kinds(target: Format) -> Mapping[str, Kind]:
        """Map each kind of key that the view has in this format to what `verify` must know about it."""


class Projection:
    """The views that each event type changes."""

    def __init__(self, views_of: Mapping[str, Sequence[type[View]]]) -> None:
        self._views_of = views_of
        self._views = list(dict.fromkeys(view for views in views_of.values() for view in views))

    @property
    def cached_members(self) -> dict[str, str]:
        return {field: member for view in self._views for field, member in view.cached_members.items()}

    def kinds(self, target: Format) -> dict[str, Kind]:
        return {name: kind for view in self._views for name, kind in view.kinds(target).items()}

    def written(self, events: Iterable[Mapping[str, Any]]) -> list[WrittenRegister]:
        """Return the registers that the events set, each with its last version. The events are in order."""
        versions = dict[tuple[str, str], int]()
        for event in events:
            for view in self._views_of.get(event["type"], self._views):
                versions |= dict.fromkeys(view.written(event), event["version"])
        return [WrittenRegister(key, field, version) for (key, field), version in versions.items()]

    def fold(self, events: Iterable[Mapping[str, Any]], target: Format) -> Iterator[Write]:
        """Yield the last state of each register that the events change, and each entry that they add.

        So readers never see a state that only existed within a transaction.
        """
        views = {view: view(target) for view in self._views}
        # A newer process may log a type that this process does not know. Every view can apply it: events are complete.
        every = [view.apply for view in views.values()]
        appliers = {name: [views[view].apply for view in changed] for name, changed in self._views_of.items()}
        for event in events:
            for apply in appliers.get(event["type"], every):
                apply(event)
        for view in views.values():
            yield from view.writes()

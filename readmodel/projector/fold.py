"""Folds events to the registers of the views. Live updates and rebuilds use the same fold."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Protocol

from readmodel.store.reads.consistency import WrittenRegister
from readmodel.store.registers import Register


class View(Protocol):
    """Collects the events of one page. `cached_members` maps a field to the JSON member that readers cache."""

    cached_members: ClassVar[dict[str, str]]

    def __init__(self) -> None: ...

    def apply(self, event: Mapping[str, Any]) -> None:
        """Keep the states in the event, unless the view already keeps newer states."""

    def registers(self) -> Iterator[Register]:
        """Yield the last state of each register."""

    @staticmethod
    def written(event: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield the key and the field of each register that the event sets, where queries look for it.

        A query with a consistency token relies on them: without one of them, it would answer too early.
        """


class Projection:
    """The views that each event type changes."""

    def __init__(self, views_of: Mapping[str, Sequence[type[View]]]) -> None:
        self._views_of = views_of
        self._views = list(dict.fromkeys(view for views in views_of.values() for view in views))

    @property
    def cached_members(self) -> dict[str, str]:
        return {field: member for view in self._views for field, member in view.cached_members.items()}

    def written(self, events: Iterable[Mapping[str, Any]]) -> list[WrittenRegister]:
        """Return the registers that the events set, each with its last version. The events are in order."""
        versions = dict[tuple[str, str], int]()
        for event in events:
            for view in self._views_of.get(event["type"], self._views):
                versions |= dict.fromkeys(view.written(event), event["version"])
        return [WrittenRegister(key, field, version) for (key, field), version in versions.items()]

    def fold(self, events: Iterable[Mapping[str, Any]]) -> Iterator[Register]:
        """Yield the last state of each register that the events change.

        So readers never see a state that only existed within a transaction.
        """
        views = {view: view() for view in self._views}
        # A newer process may log a type that this process does not know. Every view can apply it: events are complete.
        every = [view.apply for view in views.values()]
        appliers = {name: [views[view].apply for view in changed] for name, changed in self._views_of.items()}
        for event in events:
            for apply in appliers.get(event["type"], every):
                apply(event)
        for view in views.values():
            yield from view.registers()

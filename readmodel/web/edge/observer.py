"""What an edge reports about itself. The process that builds the edge decides what becomes of it."""

from collections.abc import Mapping

from readmodel.web.edge.bulkheads import Limit


class Observer:
    """Ignores everything. A subclass overrides what it needs.

    Any thread may call it. It must return at once, and must not raise.
    """

    def started(self) -> None:
        """The worker has started."""

    def answered(self, route: str, status: int, seconds: float) -> None:
        """The request has an answer, which the edge sends next. `seconds` have passed since the request's head."""

    def answered_lines(self, lines: Mapping[int, int]) -> None:
        """Results of a bulk are sent next. `lines` maps each status to the number of its lines."""

    def refused(self, kind: str) -> None:
        """A request of this kind had to wait too long for its turn."""

    def watch(self, limits: Mapping[str, Limit]) -> None:
        """The limits with these names exist from now on."""


UNOBSERVED = Observer()

"""The metrics of a web worker."""

from collections.abc import Iterator, Mapping

from readmodel.logs import harmless
from readmodel.metrics import table
from readmodel.metrics.reporter import Reporter
from readmodel.metrics.table import Figure
from readmodel.store.records.heartbeat import SUSPECT
from readmodel.web.edge.bulkheads import Limit
from readmodel.web.edge.observer import Observer
from readmodel.web.health import Finding


class WebMetrics(Observer):
    """Counts requests. `reporter` reports on the worker."""

    def __init__(self, reporter: Reporter) -> None:
        reporter.add(self.figures)
        registry = reporter.registry
        self._reporter = reporter
        self._limits = dict[str, Limit]()
        self._requests = registry.counter(table.REQUESTS)
        self._seconds = registry.histogram(table.REQUEST_SECONDS)
        self._refused = registry.counter(table.REFUSED_REQUESTS)
        self._lines = registry.counter(table.BULK_LINES)

    def started(self) -> None:
        self._reporter.start()

    @harmless
    def answered(self, route: str, status: int, seconds: float) -> None:
        self._requests.add(1, route, str(status))
        self._seconds.observe(seconds, route)

    @harmless
    def answered_lines(self, lines: Mapping[int, int]) -> None:
        for status, number in lines.items():
            self._lines.add(number, str(status))

    @harmless
    def refused(self, kind: str) -> None:
        self._refused.add(1, kind)

    def watch(self, limits: Mapping[str, Limit]) -> None:
        self._limits = {**limits}

    def expose(self, findings: Mapping[str, Finding]) -> bytes:
        """Return the metrics of all workers as text, with what the checks of the roles have found."""
        return self._reporter.expose(health_figures(findings))

    def figures(self) -> Iterator[Figure]:
        """Yield the use of the worker's limits."""
        for name, limit in self._limits.items():
            yield Figure(table.THREADS_IN_USE, limit.in_use, (name,))
            yield Figure(table.THREADS, limit.most, (name,))


def health_figures(findings: Mapping[str, Finding]) -> Iterator[Figure]:
    """Yield what the checks of the roles have found."""
    for role, finding in findings.items():
        yield Figure(table.READY, float(finding.reason is None), (role,))
    views = findings["queries"]
    if views.reason is not None and not views.members:
        return  # Redis can't be reached, so nobody knows.
    warning = str(views.members.get("views", ""))
    behind = warning.partition("seconds=")[2]
    yield Figure(table.VIEWS_BEHIND, float(behind or 0))
    yield Figure(table.VIEWS_SUSPECT, float(warning == SUSPECT))
    yield Figure(table.RELAY_SILENT, float("relay" in views.members))

"""The endpoint of /metrics, for Prometheus."""

import asyncio
from collections.abc import Callable, Mapping

from readmodel.web.answers import Answer
from readmodel.web.edge.access import METRICS
from readmodel.web.edge.bulkheads import Bulkhead, Refused, ignore
from readmodel.web.edge.request import Request
from readmodel.web.health import Check, Finding

PATH = "/metrics"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SCRAPES = 2
"""Requests at the same time. Each adds up the values of all workers."""

Expose = Callable[[Mapping[str, Finding]], bytes]
"""Returns the metrics of the web server as text, with what the checks of its roles have found."""


class MetricsPage:
    """It has threads of its own. So it answers even if the service refuses other requests."""

    methods = ("GET", "HEAD")
    scope = METRICS

    def __init__(self, expose: Expose, checks: Mapping[str, Check], refused: Refused = ignore) -> None:
        self._expose = expose
        self._checks = checks
        self._threads = Bulkhead("metrics", SCRAPES, refused)

    async def respond(self, _: Request) -> Answer:
        found: list[Finding] = await asyncio.gather(*(check.finding() for check in self._checks.values()))
        findings = dict(zip(self._checks, found, strict=True))
        return Answer(200, await self._threads.run(self._expose, findings), CONTENT_TYPE)

"""The health of a process. Its answers do not wait for a store that hangs."""

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from readmodel.web.answers import RETRY_LATER, Answer, json_answer, problem
from readmodel.web.edge.request import Request

ANSWER_WITHIN = 0.06
TRUSTED = 5.0
"""Seconds. A check that has not ended after ANSWER_WITHIN counts as its last result, for TRUSTED seconds."""


class Finding(NamedTuple):
    """What a check has found: the reason why the role is not ready, or None.

    `members` are further members of the response. `for_all` is a reason why no role of the process is ready.
    """

    reason: str | None
    members: Mapping[str, object] = {}
    for_all: str | None = None


class Check:
    """Checks one role, in a thread of its own. Only the event loop of the process uses it."""

    def __init__(self, find: Callable[[], Finding]) -> None:
        self._find = find
        self._thread = ThreadPoolExecutor(1, "check")
        self._running: Future[Finding] | None = None
        self._started = 0.0
        self._latest: tuple[float, Finding] | None = None

    async def finding(self) -> Finding:
        """Return a new finding. If the check does not end in time, return the latest one, if it is not too old."""
        if self._running is None:
            self._running, self._started = self._thread.submit(self._find), time.monotonic()
        ended, _ = await asyncio.wait([asyncio.wrap_future(self._running)], timeout=ANSWER_WITHIN)
        now, running = time.monotonic(), self._running
        if running is not None and running.done():
            self._running = None
            self._latest = (now, running.result())
        if self._latest is not None and (ended or now - self._latest[0] < TRUSTED):
            return self._latest[1]
        return Finding(f"The check has not ended for {now - self._started:.0f} s")


class Health:
    """The endpoint of /health/live and of /health/ready.

    A process is live if it responds. It is ready if it can serve its `role`. The response also shows its other roles.
    """

    methods = ("GET", "HEAD")
    scope = None

    def __init__(self, role: str, checks: Mapping[str, Check]) -> None:
        self._role = role
        self._checks = checks

    async def respond(self, request: Request) -> Answer:
        if request.path == "/health/live":
            return json_answer({"status": "live"})
        found: list[Finding] = await asyncio.gather(*(check.finding() for check in self._checks.values()))
        findings = dict(zip(self._checks, found, strict=True))
        members: dict[str, object] = {"roles": {name: one.reason or "ready" for name, one in findings.items()}}
        for one in found:
            members |= one.members
        reason = findings[self._role].reason or next((one.for_all for one in found if one.for_all), None)
        if reason is not None:
            return problem(503, reason, RETRY_LATER, **members)
        return json_answer({"status": "ready"} | members)

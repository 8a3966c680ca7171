"""The health of a process. Its answers do not wait for a store that hangs."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from readmodel.web.answers import RETRY_LATER, Answer, json_answer, problem
from readmodel.web.edge.request import Request

logger = logging.getLogger(__name__)

ANSWER_WITHIN = 0.06
TRUSTED = 5.0
"""Seconds. A check that has not ended after ANSWER_WITHIN counts as its last result, for TRUSTED seconds."""
REPEATED_EVERY, REPEATED_FOR = 2.0, 60.0
"""Seconds between two checks, and after the last request."""


class Finding(NamedTuple):
    """What a check has found: the reason why the role is not ready, or None.

    `members` are further members of the response. `for_all` is a reason why no role of the process is ready.
    """

    reason: str | None
    members: Mapping[str, object] = {}
    for_all: str | None = None


class Check:
    """Checks one role, in a thread of its own. Only the event loop of the process uses it.

    For a while after each request, it repeats the check. So a slow check has a new finding when the next request comes.
    """

    def __init__(self, find: Callable[[], Finding]) -> None:
        self._find = find
        self._thread = ThreadPoolExecutor(1, "check")
        self._running: asyncio.Future[Finding] | None = None
        self._started = self._asked = self._ended = 0.0
        self._latest = Finding("The first check has not ended yet")

    async def finding(self) -> Finding:
        """Return a new finding. If the check does not end in time, return the latest one, if it is not too old."""
        self._asked = time.monotonic()
        await asyncio.wait([self._start()], timeout=ANSWER_WITHIN)
        now = time.monotonic()
        if not self._ended or now - self._ended < TRUSTED:
            return self._latest
        return Finding(f"The check has not ended for {now - self._started:.0f} s")

    def _start(self) -> "asyncio.Future[Finding]":
        """Start a check if none is running. Return its future finding."""
        if self._running is None:
            self._started = time.monotonic()
            self._running = asyncio.get_running_loop().run_in_executor(self._thread, self._find)
            self._running.add_done_callback(self._note)
        return self._running

    def _note(self, ended: "asyncio.Future[Finding]") -> None:
        self._running, self._ended = None, time.monotonic()
        if error := ended.exception():
            logger.error("A check failed because of a bug", exc_info=error)
        self._latest = Finding("The check failed. The log has the reason") if error else ended.result()
        if self._ended - self._asked < REPEATED_FOR:
            asyncio.get_running_loop().call_later(REPEATED_EVERY, self._start)


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

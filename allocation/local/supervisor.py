"""Keeps children running, and ends them in order."""

import logging
import time
from collections.abc import Sequence
from threading import Event

from allocation.local.child import Child

logger = logging.getLogger(__name__)

LONGEST_PAUSE = 5.0
STEADY = 10.0
LOOK = 0.1
STOP_WITHIN = 4.0


class Supervisor:
    """Children end in the reverse order of their groups; those of one group end together."""

    def __init__(self) -> None:
        self._groups: list[list[Child]] = []
        self._pauses: dict[str, float] = {}
        self._due: dict[str, float] = {}

    def start(self, *group: Child) -> None:
        self._groups.append([])
        for child in group:
            child.start()
            self._groups[-1].append(child)

    def watch(self, stopped: Event) -> None:
        """Start again whatever ends, until stopped."""
        while not stopped.wait(LOOK):
            for group in self._groups:
                for child in group:
                    if child.exit_code() is not None:
                        self._revive(child)

    def stop(self) -> None:
        for group in reversed(self._groups):
            stop_together(group, STOP_WITHIN)
        self._groups.clear()

    def _revive(self, child: Child) -> None:
        """At once, after a steady run; after ever longer pauses, where it ends again and again."""
        now = time.monotonic()
        if child.name not in self._due:
            child.sweep()
            before = 0.0 if now - child.started_at > STEADY else self._pauses.get(child.name, 0.0)
            pause = self._pauses[child.name] = min(max(0.1, 2 * before), LONGEST_PAUSE)
            self._due[child.name] = now + pause
            logger.warning("%s ended with code %s; starting it again", child.name, child.exit_code())
        elif now >= self._due[child.name]:
            del self._due[child.name]
            child.start()


def stop_together(children: Sequence[Child], seconds: float) -> None:
    for child in children:
        child.ask_to_stop()
    deadline = time.monotonic() + seconds
    for child in children:
        child.wait_or_kill(max(0.0, deadline - time.monotonic()))

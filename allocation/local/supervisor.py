"""Restarts children that end, and stops all of them in order."""

import logging
import time
from collections.abc import Sequence

from allocation.local.child import Child

logger = logging.getLogger(__name__)

LONGEST_PAUSE = 5.0
STEADY_AFTER = 10.0
PROCESSES_STOP_WITHIN = 3.0
SERVERS_STOP_WITHIN = 6.0


class Supervisor:
    """Supervises servers, and the processes that use them. The processes stop before the servers."""

    def __init__(self) -> None:
        self._servers: list[Child] = []
        self._processes: list[Child] = []
        self._pauses: dict[str, float] = {}
        self._due: dict[str, float] = {}

    def start_server(self, child: Child) -> None:
        child.start()
        self._servers.append(child)

    def start_process(self, child: Child) -> None:
        child.start()
        self._processes.append(child)

    def restart_ended(self) -> None:
        """Restart the children that have ended."""
        for child in self._servers + self._processes:
            if child.exit_code() is not None:
                self._restart(child)

    def stop(self) -> None:
        stop_together(self._processes, PROCESSES_STOP_WITHIN)
        stop_together(self._servers, SERVERS_STOP_WITHIN)

    def _restart(self, child: Child) -> None:
        """Restart the child at once after a steady run, or after ever longer pauses if it ends again and again."""
        now = time.monotonic()
        if child.name not in self._due:
            child.sweep()
            before = 0.0 if now - child.started_at > STEADY_AFTER else self._pauses.get(child.name, 0.0)
            pause = self._pauses[child.name] = min(max(0.1, 2 * before), LONGEST_PAUSE)
            self._due[child.name] = now + pause
            logger.warning("%s ended with code %s. Restarting it", child.name, child.exit_code())
        elif now >= self._due[child.name]:
            del self._due[child.name]
            child.start()


def stop_together(children: Sequence[Child], seconds: float) -> None:
    for child in children:
        child.ask_to_stop()
    deadline = time.monotonic() + seconds
    for child in children:
        child.wait_or_kill(max(0.0, deadline - time.monotonic()))

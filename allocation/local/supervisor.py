"""Restarts child processes that end. At the shutdown, stops the processes of the service before the servers."""

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
    """Supervises servers and the processes that use them."""

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
        """Restart each child that has ended, after a pause. Call this method repeatedly.

        The first pause is 0.1 s. Each later pause is twice as long, up to LONGEST_PAUSE. If a child ran for more than
        STEADY_AFTER seconds, its next pause is 0.1 s again.
        """
        for child in self._servers + self._processes:
            if child.exit_code() is not None:
                self._restart_after_pause(child)

    def stop(self) -> None:
        """Stop the processes, then the servers. Kill the children that do not stop in time."""
        stop_together(self._processes, PROCESSES_STOP_WITHIN)
        stop_together(self._servers, SERVERS_STOP_WITHIN)

    def _restart_after_pause(self, child: Child) -> None:
        """Begin the pause of a child that has just ended. Restart the child if its pause is over."""
        now = time.monotonic()
        if child.name not in self._due:
            child.sweep()
            former = 0.0 if now - child.started_at > STEADY_AFTER else self._pauses.get(child.name, 0.0)
            pause = self._pauses[child.name] = min(max(0.1, 2 * former), LONGEST_PAUSE)
            self._due[child.name] = now + pause
            logger.warning("%s ended with code %s. Restarting it", child.name, child.exit_code())
        elif now >= self._due[child.name]:
            del self._due[child.name]
            child.start()


def stop_together(children: Sequence[Child], seconds: float) -> None:
    """Request the end of all children, then wait for them. Kill the children that still run after `seconds`."""
    for child in children:
        child.request_stop()
    deadline = time.monotonic() + seconds
    for child in children:
        child.wait_or_kill(max(0.0, deadline - time.monotonic()))

"""A relay in this process, and the status of its service."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from urllib.parse import urlsplit

from allocation import bootstrap
from allocation.config import Settings
from allocation.entrypoints.status.findings.find import find
from allocation.entrypoints.status.findings.finding import Finding
from allocation.entrypoints.status.gather import ANSWER_WITHIN, gather
from allocation.entrypoints.status.runbooks import Runbook
from allocation.entrypoints.status.status import DatabaseStatus, Status
from allocation.shutdown import Shutdown
from readmodel.store.status.views import RedisStatus
from tests.support.eventually import eventually

PREFIX = "status"


class Service:
    """A service with these stores. Each look waits `within` seconds for them."""

    def __init__(self, settings: Settings, within: float = ANSWER_WITHIN) -> None:
        self.settings = settings
        self._within = within

    def look(self) -> Status:
        return gather(bootstrap.create_status_sources(self.settings), "1.0", lambda: datetime.now(UTC), self._within)

    def findings(self) -> list[Finding]:
        return find(self.look(), self.settings.views_stale)

    def runbooks(self) -> set[Runbook]:
        return {finding.runbook for finding in self.findings()}

    def database(self) -> DatabaseStatus:
        found = self.look().database
        assert isinstance(found, DatabaseStatus), found
        return found

    def redis(self) -> RedisStatus:
        found = self.look().redis
        assert isinstance(found, RedisStatus), found
        return found

    def wait_until_sound(self) -> None:
        def is_sound() -> bool:
            assert self.findings() == []
            return True

        eventually(is_sound)

    def finding(self, runbook: Runbook) -> Finding:
        """Wait for the finding with this runbook, and return it."""
        found: list[Finding] = eventually(lambda: [one for one in self.findings() if one.runbook == runbook])
        return found[0]


@contextmanager
def relaying(settings: Settings) -> Iterator[None]:
    """Run a relay in a thread of this process."""
    shutdown = Shutdown()
    with in_background(bootstrap.create_relay(settings, shutdown).run, shutdown):
        yield


@contextmanager
def consuming(settings: Settings) -> Iterator[None]:
    shutdown = Shutdown()
    with in_background(bootstrap.create_consumer(settings, shutdown).run, shutdown):
        yield


@contextmanager
def in_background(run: Callable[[], None], shutdown: Shutdown) -> Iterator[None]:
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        shutdown.request()
        thread.join()


def at_port(url: str, port: int) -> str:
    return url.replace(f":{urlsplit(url).port}/", f":{port}/")


def port_of(url: str) -> int:
    return urlsplit(url).port or 0

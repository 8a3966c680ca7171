"""A service on a database that another history replaces."""

import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from redis import Redis

from allocation.adapters.postgres.driver.engine import create_postgres_engine
from allocation.adapters.postgres.schema import migrate
from readmodel.store import keys
from readmodel.store.client import redis_client
from readmodel.store.names import PLAIN
from tests.support.adapters.databases import execute_at
from tests.support.api import Answer, Api
from tests.support.eventually import eventually
from tests.support.processes import run_to_end, running
from tests.support.services import web

HEADER = "allocation-views"
SOUND = (0, "The views match the database\n")

Environment = dict[str, str]


@dataclass(frozen=True)
class Service:
    """A relay and a web process. Their database may change, but not its URL."""

    environment: Environment
    redis: Redis
    relay: "subprocess.Popen[str]"
    api: Api

    def value(self, query: str) -> Any:
        """Return the only value that the query finds in the database that is at the URL now."""
        [[value]] = self.rows(query)
        return value

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return execute_at(self.environment["DATABASE_URL"], query)

    def log_end(self) -> int:
        return int(self.value("SELECT coalesce(max(position), 0) FROM events"))

    def live(self) -> str:
        """Return the live generation. No rebuild may be running."""
        live, _, other = str(self.redis.get(PLAIN.generations)).partition(" ")
        assert live
        assert not other
        return live

    def cursor(self) -> int:
        """Return the position up to which the views show every event."""
        live = self.live()
        return min(int(str(self.redis.get(f"{live}:{keys.cursor(bucket)}"))) for bucket in keys.BUCKETS)

    def wait_for_relay(self) -> None:
        """Wait until the relay has applied the whole log."""
        eventually(lambda: self.cursor() >= self.log_end())

    def wait_for_rebuild(self, former: str) -> None:
        """Wait until the relay has replaced the generation `former` and the log has a new epoch. Judge the result."""
        eventually(lambda: self.live() != former)
        eventually(lambda: view_flag(self.api.get("orders", "any")) is None)
        assert self.value("SELECT epoch FROM log") == 2
        self.assert_sound()

    def assert_sound(self) -> None:
        """Judge the views and the database by the service's own checks."""
        assert run_to_end("verify", self.environment) == SOUND
        code, report = run_to_end("audit", self.environment)
        assert code == 0, report


@contextmanager
def service_on(database_url: str, redis_url: str, **variables: str) -> Iterator[Service]:
    """Run a service on a database, which need not be migrated. `variables` are further settings."""
    engine = create_postgres_engine(database_url)
    migrate(engine)
    engine.dispose()
    environment = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, **variables}
    with (
        redis_client(redis_url) as redis,
        running("relay", environment) as relay,
        web(environment) as port,
    ):
        api = Api(port)
        with closing(api.connection):
            yield Service(environment, redis, relay, api)


def view_flag(answer: Answer) -> str | None:
    """Return `suspect` or `behind` if the answer says that its view may be wrong, or None."""
    return answer.headers.get(HEADER, "").partition(";")[0] or None

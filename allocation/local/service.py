"""`allocation run`: starts the servers and processes of the service as child processes, and supervises them."""

import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from http.client import HTTPConnection, HTTPException

import orjson
import psycopg2
from redis import Redis as RedisClient
from redis.exceptions import RedisError

from allocation.config import Settings
from allocation.local import running
from allocation.local.child import Child
from allocation.local.errors import CannotStart
from allocation.local.ports import authority, free_port, require_free
from allocation.local.postgres import Postgres
from allocation.local.redis import Redis
from allocation.local.supervisor import Supervisor
from allocation.local.terminal import foreground, is_hung_up
from allocation.shutdown import Shutdown, ShutdownRequested

POLL = 0.1
LEFTOVERS_STOP_WITHIN = 10.0
ALLOCATION = [sys.executable, "-m", "allocation.entrypoints.cli"]

WELCOME = """
The service runs on {url}. Press Ctrl-C to stop it. Try these commands in another terminal:

  curl {url}/add_batch --json '{{"ref": "wh-1", "sku": "RED-CHAIR", "qty": 100}}'
  curl {url}/allocate --json '{{"orderid": "order-1", "sku": "RED-CHAIR", "qty": 10}}'
  curl {url}/allocations/order-1
  curl {url}/orders/order-1
  curl {url}/products/RED-CHAIR
"""

Say = Callable[[str], None]


class Service:
    """The whole service on this machine. `say` receives each message for the user.

    `require_alone` gets the settings with all URLs. It raises if the service must not start beside another service.
    """

    def __init__(self, settings: Settings, say: Say, require_alone: Callable[[Settings], None]) -> None:
        self._settings = settings
        self._say = say
        self._require_alone = require_alone
        self._shutdown = Shutdown()
        self._supervisor = Supervisor()
        self._url = f"http://{authority(settings.host, settings.port)}"

    def run(self) -> None:
        """Run until SIGINT, SIGTERM or SIGHUP, or until the terminal closes. Then stop every child process.

        Raise CannotStart if the service can't start.
        """
        with running.locked(self._settings.data), foreground() as terminal, ExitStack() as ending:
            ending.callback(self._supervisor.stop)
            self._shutdown.on(signal.SIGINT, signal.SIGTERM)
            # If nohup started the service, the process ignores SIGHUP already. It must outlive the terminal.
            if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
                self._shutdown.on(signal.SIGHUP)
            try:
                self._start(ending)
                while not self._shutdown.wait(POLL) and not is_hung_up(terminal):
                    self._supervisor.restart_ended()
            except ShutdownRequested:
                pass
            with suppress(OSError):  # The terminal may be closed.
                self._say("Stopping")

    def _start(self, ending: ExitStack) -> None:
        was_killed = running.remove_stale_env_file(self._settings.data)
        require_free(self._settings.host, self._settings.port, within=LEFTOVERS_STOP_WITHIN if was_killed else 0.0)
        urls = {"DATABASE_URL": self._database(), "REDIS_URL": self._redis(), "API_URL": self._url}
        if self._settings.redis_prefix:
            urls["ALLOCATION_REDIS_PREFIX"] = self._settings.redis_prefix
        self._migrate(urls)
        self._require_alone(
            self._settings.model_copy(update={"database_url": urls["DATABASE_URL"], "redis_url": urls["REDIS_URL"]})
        )
        relay = Child("The relay", [*ALLOCATION, "relay"], env=urls)
        consumer = Child("The consumer", [*ALLOCATION, "consumer"], env=urls)
        web = Child("The web server", [*ALLOCATION, "serve"], env=urls)
        for child in (relay, consumer, web):
            self._supervisor.start_process(child)
        self._wait_until_ready(relay, consumer, web)
        ending.enter_context(running.env_file(self._settings.data, urls))
        self._say(WELCOME.format(url=self._url))

    def _database(self) -> str:
        if self._settings.database_url is not None:
            return reachable_database(self._settings.database_url)
        self._say(f"Starting PostgreSQL with its data in {self._settings.data / 'postgres'}")
        server = Postgres(self._settings.data / "postgres", free_port())
        return self._start_server(server)

    def _redis(self) -> str:
        if self._settings.redis_url is not None:
            return reachable_redis(self._settings.redis_url)
        self._say(f"Starting Redis with its data in {self._settings.data / 'redis'}")
        return self._start_server(Redis(self._settings.data / "redis", free_port()))

    def _start_server(self, server: Postgres | Redis) -> str:
        try:
            child = server.prepare()
        finally:
            self._shutdown.check()
        self._supervisor.start_server(child)
        server.wait_until_ready(child, self._shutdown.check)
        return server.url

    def _migrate(self, urls: dict[str, str]) -> None:
        self._say("Migrating the database")
        migration = Child("The migration", [*ALLOCATION, "migrate"], env=urls)
        migration.start()
        while migration.exit_code() is None:
            if self._shutdown.wait(POLL):
                migration.stop(1.0)
        self._shutdown.check()
        if migration.exit_code() != 0:
            raise CannotStart("The database migration failed. The reason is above")

    def _wait_until_ready(self, *children: Child) -> None:
        """Wait until the service serves commands and queries. Raise CannotStart if a child ends.

        The wait has no time limit, because the relay may first rebuild the views of a long log.
        """
        while not is_ready(self._settings.host, self._settings.port):
            for child in children:
                if child.exit_code() is not None:
                    raise CannotStart(f"{child.name} ended with code {child.exit_code()}. The reason is above")
            self._shutdown.wait(POLL)
            self._shutdown.check()


def reachable_database(url: str) -> str:
    """Return the URL. Raise CannotStart if this process can't connect to the database."""
    try:
        psycopg2.connect("postgresql://" + url.partition("://")[2], connect_timeout=5).close()
    except psycopg2.Error as error:
        reason = " ".join(str(error).split())
        raise CannotStart(f"Can't connect to DATABASE_URL: {reason}. Start PostgreSQL, or correct the URL") from error
    return url


def reachable_redis(url: str) -> str:
    """Return the URL. Raise CannotStart if this process can't connect to Redis."""
    try:
        with RedisClient.from_url(url, socket_connect_timeout=5, socket_timeout=5) as client:
            client.ping()
    except RedisError as error:
        raise CannotStart(f"Can't connect to REDIS_URL: {error}. Start Redis, or correct the URL") from error
    return url


def is_ready(host: str, port: int) -> bool:
    """Return True if the service can serve both commands and queries."""
    connection = HTTPConnection(host, port, timeout=2)
    try:
        connection.request("GET", "/health/ready")
        answer = orjson.loads(connection.getresponse().read())
        return set(answer.get("roles", {}).values()) == {"ready"}
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()

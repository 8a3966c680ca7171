"""`allocation run`: the servers that are not given, the migration, the relay and the web workers, in one foreground."""

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
from allocation.local.ports import free_port, make_sure_of
from allocation.local.postgres import Postgres
from allocation.local.redis import Redis
from allocation.local.supervisor import Supervisor
from allocation.local.terminal import foreground, is_hung_up
from allocation.shutdown import Stop, Stopped

LOOK = 0.1
LEFTOVERS_END_WITHIN = 10.0
ALLOCATION = [sys.executable, "-m", "allocation.entrypoints.cli"]

WELCOME = """
The service answers on {url}. Ctrl-C ends it. Try, in another terminal:

  curl {url}/add_batch --json '{{"ref": "wh-1", "sku": "RED-CHAIR", "qty": 100}}'
  curl {url}/allocate --json '{{"orderid": "order-1", "sku": "RED-CHAIR", "qty": 10}}'
  curl {url}/allocations/order-1
  curl {url}/orders/order-1
  curl {url}/products/RED-CHAIR
"""

Say = Callable[[str], None]


class Service:
    """The whole service on this machine. `say` tells the user what happens."""

    def __init__(self, config: Settings, say: Say) -> None:
        self._config = config
        self._say = say
        self._stop = Stop()
        self._supervisor = Supervisor()
        self._url = f"http://{config.host}:{config.port}"

    def run(self) -> None:
        """Run until SIGINT, SIGTERM, or the end of the terminal. Raises CannotStart."""
        with running.only_one(self._config.data), foreground() as terminal, ExitStack() as ending:
            ending.callback(self._supervisor.stop)
            self._stop.on(signal.SIGINT, signal.SIGTERM)
            if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # As it is under nohup.
                self._stop.on(signal.SIGHUP)
            try:
                self._start(ending)
                while not self._stop.wait(LOOK) and not is_hung_up(terminal):
                    self._supervisor.look()
            except Stopped:
                pass
            with suppress(OSError):  # The terminal may be gone.
                self._say("Stopping")

    def _start(self, ending: ExitStack) -> None:
        was_killed = running.forget(self._config.data)
        make_sure_of(self._config.host, self._config.port, within=LEFTOVERS_END_WITHIN if was_killed else 0.0)
        addresses = {"DATABASE_URL": self._database(), "REDIS_URL": self._redis(), "API_URL": self._url}
        self._migrate(addresses)
        relay = Child("The relay", [*ALLOCATION, "relay"], env=addresses)
        consumer = Child("The consumer", [*ALLOCATION, "consumer"], env=addresses)
        web = Child("The web server", [*ALLOCATION, "serve"], env=addresses)
        for child in (relay, consumer, web):
            self._supervisor.start_process(child)
        self._wait_until_ready(relay, consumer, web)
        ending.enter_context(running.announced(self._config.data, addresses))
        self._say(WELCOME.format(url=self._url))

    def _database(self) -> str:
        if self._config.database_url is not None:
            return reachable_database(self._config.database_url)
        self._say(f"Starting PostgreSQL, with its data in {self._config.data / 'postgres'}")
        server = Postgres(self._config.data / "postgres", free_port())
        return self._start_server(server)

    def _redis(self) -> str:
        if self._config.redis_url is not None:
            return reachable_redis(self._config.redis_url)
        self._say(f"Starting Redis, with its data in {self._config.data / 'redis'}")
        return self._start_server(Redis(self._config.data / "redis", free_port()))

    def _start_server(self, server: Postgres | Redis) -> str:
        try:
            child = server.prepare()
        finally:
            self._stop.check()
        self._supervisor.start_server(child)
        server.wait_until_ready(child, self._stop.check)
        return server.url

    def _migrate(self, addresses: dict[str, str]) -> None:
        self._say("Migrating the database")
        migration = Child("The migration", [*ALLOCATION, "migrate"], env=addresses)
        migration.start()
        while migration.exit_code() is None:
            if self._stop.wait(LOOK):
                migration.stop(1.0)
        self._stop.check()
        if migration.exit_code() != 0:
            raise CannotStart("The database could not be migrated: see above")

    def _wait_until_ready(self, *children: Child) -> None:
        """However long it takes: the views of a long log may have to be rebuilt first."""
        while not is_ready(self._config.host, self._config.port):
            for child in children:
                if child.exit_code() is not None:
                    raise CannotStart(f"{child.name} ended with code {child.exit_code()}: see above")
            self._stop.wait(LOOK)
            self._stop.check()


def reachable_database(url: str) -> str:
    try:
        psycopg2.connect("postgresql://" + url.partition("://")[2], connect_timeout=5).close()
    except psycopg2.Error as error:
        raise CannotStart(f"DATABASE_URL can't be reached: {' '.join(str(error).split())}") from error
    return url


def reachable_redis(url: str) -> str:
    try:
        with RedisClient.from_url(url, socket_connect_timeout=5, socket_timeout=5) as client:
            client.ping()
    except RedisError as error:
        raise CannotStart(f"REDIS_URL can't be reached: {error}") from error
    return url


def is_ready(host: str, port: int) -> bool:
    """Whether the service answers commands and queries."""
    connection = HTTPConnection(host, port, timeout=2)
    try:
        connection.request("GET", "/health/ready")
        answer = orjson.loads(connection.getresponse().read())
        return set(answer.get("roles", {}).values()) == {"ready"}
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()

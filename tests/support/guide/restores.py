"""Situations in which an operator backs up and restores PostgreSQL. Each has a server of its own."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from allocation.local.account import find_account
from allocation.local.postgres import Postgres
from tests.support.adapters.databases import execute, execute_at
from tests.support.api import Api
from tests.support.documents.shell import Shell, blocks_of
from tests.support.documents.tables import section
from tests.support.eventually import eventually
from tests.support.guide.stage import Stage, Walk
from tests.support.processes import run_to_end, running
from tests.support.servers import Server, postgres_in
from tests.support.services import web

GUIDE = "docs/operate.md"
BACKUP, RESTORE = "Back up PostgreSQL", "You restore PostgreSQL"
OWNER, ROLE, PASSWORD = "allocation_owner", "allocation", "…"
"""The roles and the password of the section about privileges."""


@dataclass
class Site:
    """A server that holds the database of the service, and a shell of its administrator."""

    server: Server
    postgres: Postgres
    shell: Shell

    port: int = 0


@contextmanager
def new_server(stage: Stage) -> Iterator[Walk]:
    """The server has neither the roles nor the database. The blocks create them, and a migration grants privileges."""
    with empty_site(stage) as site:
        yield Walk(site.shell)
        assert run_to_end("migrate", site.shell.variables) == (0, "")
        assert run_to_end("check commands", site.shell.variables)[0] == 0
        assert execute_at(site.shell.variables["DATABASE_URL"], "SELECT count(*) FROM events") == [(0,)]


@contextmanager
def empty_site(stage: Stage) -> Iterator[Site]:
    postgres = postgres_in(stage.folder / "postgres")
    server = Server(postgres)
    with ExitStack() as stack:
        server.start()
        stack.callback(server.stop)
        execute(postgres, "DROP DATABASE allocation")
        yield Site(server, postgres, Shell(stage.folder, {**administrator(postgres), **service(postgres, stage)}))


def administrator(postgres: Postgres) -> dict[str, str]:
    url = urlsplit(postgres.url)
    return {
        "PGHOST": url.hostname or "",
        "PGPORT": str(url.port),
        "PGUSER": url.username or "",
        "PGPASSWORD": unquote(url.password or ""),
    }


def service(postgres: Postgres, stage: Stage) -> dict[str, str]:
    """Return the variables of the processes, with the roles of the guide."""
    address = f"{quote(PASSWORD)}@127.0.0.1:{postgres.port}/allocation"
    return {
        "DATABASE_URL": f"postgresql://{ROLE}:{address}",
        "DATABASE_MIGRATION_URL": f"postgresql://{OWNER}:{address}",
        "REDIS_URL": stage.redis_url,
    }


@contextmanager
def working_site(stage: Stage) -> Iterator[Site]:
    """Run the service on a new server. It has an order."""
    with empty_site(stage) as site, ExitStack() as stack:
        for block in blocks_of(section(GUIDE, "Privileges")):
            site.shell.run(block)
        assert run_to_end("migrate", site.shell.variables) == (0, "")
        stack.enter_context(running("relay", site.shell.variables))
        site.port = stack.enter_context(web(site.shell.variables))
        with api_of(site) as api:
            assert api.add_batch("b1", "S", 10).status == 201
            assert api.allocate("kept", "S", 1).status == 202
        yield site


@contextmanager
def api_of(site: Site) -> Iterator[Api]:
    api = Api(site.port)
    with closing(api.connection):
        yield api


@contextmanager
def damaged_database(stage: Stage) -> Iterator[Walk]:
    """An operator has dumped the database. Then a command was executed, and the database was damaged."""
    with working_site(stage) as site:
        for block in blocks_of(section(GUIDE, BACKUP)):
            site.shell.run(block)
        lose_an_order(site)
        execute_at(site.postgres.url, "DELETE FROM order_lines")
        yield Walk(site.shell)
        require_restored(site)


@contextmanager
def backed_up_database(stage: Stage) -> Iterator[Walk]:
    """After the backup, the server is lost. A new one starts on the base backup."""
    with working_site(stage) as site:
        yield Walk(site.shell)
        lose_an_order(site)
        site.server.kill()
        server = Server(server_on(stage.folder / "base-backup", site.postgres))
        server.start()
        try:
            for block in blocks_of(section(GUIDE, RESTORE))[2:4]:
                site.shell.run(block)
            require_restored(site)
        finally:
            server.stop()


def server_on(base_backup: Path, lost: Postgres) -> Postgres:
    """Return a server on the base backup, at the address of the lost one."""
    folder = base_backup.with_name("restored")
    folder.mkdir(0o700)
    shutil.copy2(lost.folder / "password", folder)
    base_backup.rename(folder / "data")
    account = find_account()
    for path in (folder, *folder.rglob("*")):
        account.become_owner_of(path)
    return Postgres(folder, lost.port, lost.settings, account)


def lose_an_order(site: Site) -> None:
    with api_of(site) as api:
        assert api.allocate("lost", "S", 1).status == 202


def require_restored(site: Site) -> None:
    """The service has the order of the backup, and not the later one. It works, in a new epoch."""
    with api_of(site) as api:
        assert (api.allocations("kept").status, api.allocations("lost").status) == (200, 404)
        eventually(partial(is_executed, api))
    [[epoch]] = execute_at(site.postgres.url, "SELECT epoch FROM log")
    assert epoch >= 2, "the restore has begun no new epoch"


def is_executed(api: Api) -> bool:
    """Return whether a command is executed. Its worker may still have a connection to the lost server."""
    return api.allocate("new", "S", 1).status == 202

"""Rules of the code base that no linter checks."""

import re
import subprocess
import sys
from dataclasses import fields
from importlib import import_module

import pytest

from allocation.adapters.schemas.commands import COMMANDS
from allocation.adapters.schemas.events import EVENT_NAMES
from allocation.adapters.schemas.outcomes import REFUSAL_NAMES
from allocation.domain import commands, errors
from allocation.domain.events import Event
from allocation.entrypoints.cli.errors import EXPECTED
from allocation.entrypoints.http import responses
from allocation.event_handlers import EVENT_HANDLERS
from allocation.service_layer.handlers import COMMAND_HANDLERS
from readmodel.web.routes import ROUTES
from tests.support.paths import ROOT

IMPORT_EVERYTHING = """
import sys
from dataclasses import fields
def refuse(event, _):
    assert event not in {"socket.connect", "subprocess.Popen"}, f"an import must not cause {event}"
sys.addaudithook(refuse)
import allocation.entrypoints.cli.main, allocation.entrypoints.http.app
import allocation.bootstrap, allocation.event_handlers, allocation.entrypoints.relay.relay, readmodel.web.queries
"""


def test_importing_opens_no_connection() -> None:
    subprocess.run([sys.executable, "-c", IMPORT_EVERYTHING], check=True)


@pytest.mark.parametrize(("module", "name"), [expected[:2] for expected in EXPECTED])
def test_expected_error_is_defined_in_the_named_module(module: str, name: str) -> None:
    error = getattr(import_module(module), name)
    assert issubclass(error, Exception)
    assert error.__module__ == module, "the CLI finds the error only if its own module is loaded"


def test_every_refusal_has_an_http_status() -> None:
    assert set(responses.FAILURES) >= set(errors.Refusal.__subclasses__())


def test_every_command_has_a_handler_and_a_schema() -> None:
    all_commands = set(commands.Command.__args__)
    assert set(COMMAND_HANDLERS) == all_commands
    assert {entry.command for entry in COMMANDS.values()} == all_commands


@pytest.mark.parametrize("name", COMMANDS)
def test_a_schema_has_the_members_of_its_command(name: str) -> None:
    members = {field.name for field in fields(COMMANDS[name].command)}
    assert set(COMMANDS[name].schema.model_fields) == members


def test_a_query_worker_loads_no_database_driver() -> None:
    program = """if True:
        import sys
        from allocation import bootstrap
        from allocation.config import Settings
        bootstrap.create_query_app(Settings(redis_url="redis://127.0.0.1:1/0"))
        print([name for name in ("sqlalchemy", "psycopg2", "alembic") if name in sys.modules])
    """
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert loaded.stdout == "[]\n"


def test_every_event_has_a_name_and_handlers() -> None:
    # Compare names: a dataclass with slots is a copy of its class, and __subclasses__ may return the original.
    names = {event_type.__name__ for event_type in Event.__subclasses__()}
    assert {event_type.__name__ for event_type in EVENT_NAMES} == names
    assert {event_type.__name__ for event_type in EVENT_HANDLERS} == names


def test_every_refusal_has_a_stored_name() -> None:
    assert set(REFUSAL_NAMES) == set(errors.Refusal.__subclasses__())


def test_nginx_passes_queries_to_query_processes() -> None:
    """The other processes answer them, too, so no test of the running proxy notices a missing path."""
    configuration = (ROOT / "deploy" / "nginx.conf").read_text()
    [pattern] = re.findall(r"location ~ (\S+) {[^}]*proxy_pass http://queries;", configuration)
    paths = [route.format("x") + ("x" if route.endswith("/") else "") for route in ROUTES]
    assert [path for path in paths if not re.match(pattern, path)] == []
    assert [name for name in COMMANDS if re.match(pattern, f"/{name}")] == []

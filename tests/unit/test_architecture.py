"""Rules of the code base that no linter knows."""

import subprocess
import sys
from importlib import import_module

import pytest

from allocation.adapters.schemas.commands import COMMANDS
from allocation.adapters.schemas.events import EVENT_NAMES
from allocation.adapters.schemas.outcomes import REFUSAL_NAMES
from allocation.domain import commands, errors
from allocation.domain.events import Event
from allocation.entrypoints.cli import main as cli
from allocation.entrypoints.http import responses
from allocation.event_handlers import EVENT_HANDLERS
from allocation.service_layer.handlers import COMMAND_HANDLERS

SPY = """
import sys
def spy(event, _):
    assert event not in {"socket.connect", "subprocess.Popen"}, f"{event} at import"
sys.addaudithook(spy)
import allocation.entrypoints.cli.main, allocation.entrypoints.http.app
import allocation.bootstrap, allocation.event_handlers, allocation.entrypoints.relay.relay, readmodel.web.queries
"""


def test_importing_opens_no_connection() -> None:
    # W37
    subprocess.run([sys.executable, "-c", SPY], check=True)


@pytest.mark.parametrize(("module", "name"), cli.EXPECTED)
def test_every_expected_error_is_found_under_its_name(module: str, name: str) -> None:
    error = getattr(import_module(module), name)
    assert issubclass(error, Exception)
    assert error.__module__ == module, "else it could be raised while that module is not loaded"


def test_every_refusal_has_a_status() -> None:
    assert set(responses.FAILURES) >= set(errors.Refusal.__subclasses__())


def test_every_command_has_a_handler_a_body_and_a_route() -> None:
    every = set(commands.Command.__args__)
    assert set(COMMAND_HANDLERS) == every
    assert {entry.command for entry in COMMANDS.values()} == every


def test_every_event_has_a_name_and_handlers() -> None:
    # By name: a dataclass with slots replaces the class that Python has created first.
    every = {event_type.__name__ for event_type in Event.__subclasses__()}
    assert {event_type.__name__ for event_type in EVENT_NAMES} == every
    assert {event_type.__name__ for event_type in EVENT_HANDLERS} == every


def test_every_refusal_has_a_stored_name() -> None:
    assert set(REFUSAL_NAMES) == set(errors.Refusal.__subclasses__())

"""Rules of the code base that no linter knows."""

import subprocess
import sys
from importlib import import_module

import pytest

from allocation.adapters.schemas import commands as bodies
from allocation.domain import commands, errors
from allocation.entrypoints.cli import main as cli
from allocation.entrypoints.http import responses as answers
from allocation.service_layer.handlers import COMMAND_HANDLERS

SPY = """
import sys
def spy(event, _):
    assert event not in {"socket.connect", "subprocess.Popen"}, f"{event} at import"
sys.addaudithook(spy)
import allocation.entrypoints.cli.main, allocation.entrypoints.http.app
import allocation.entrypoints.relay.relay, readmodel.web.app
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
    assert set(answers.FAILURES) >= set(errors.Refusal.__subclasses__())


def test_every_command_has_a_handler_a_body_and_a_route() -> None:
    every = set(commands.Command.__args__)
    assert set(COMMAND_HANDLERS) == every
    assert set(bodies.BODIES.values()) == every
    assert {bodies.BODIES[shape] for shape, _ in answers.COMMANDS.values()} == every

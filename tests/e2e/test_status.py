"""`allocation status`: the state of the whole service on one screen."""

import json

import pytest

from allocation.local.ports import free_port
from tests.support.eventually import eventually
from tests.support.processes import run_to_end, running, suspended


def test_status_exits_with_0_if_everything_works(environment: dict[str, str], relay: None) -> None:
    eventually(lambda: is_sound(environment))
    code, output = run_to_end("status --json", environment)
    assert code == 0
    found = json.loads(output)
    assert found["findings"] == []
    assert found["views"] == {"events": 0, "seconds": 0.0, "more": False}


def is_sound(environment: dict[str, str]) -> bool:
    code, screen = run_to_end("status", environment)
    return code == 0 and screen.endswith("Everything works.\n")


def test_status_works_without_stores_and_hides_passwords() -> None:
    port = free_port()
    code, screen = run_to_end(
        "status",
        {
            "DATABASE_URL": f"postgresql://u:secret@127.0.0.1:{port}/d",
            "REDIS_URL": f"redis://:secret@127.0.0.1:{port}/0",
        },
    )
    assert code == 1
    assert "! PostgreSQL can't be reached: " in screen
    assert "! Redis can't be reached: " in screen
    assert "secret" not in screen


@pytest.mark.slow
def test_status_notices_a_relay_that_hangs(environment: dict[str, str]) -> None:
    """The suspended relay stays connected to Redis."""
    with running("relay", environment) as relay:
        eventually(lambda: is_sound(environment))
        with suspended(relay):
            eventually(
                lambda: "! The relay hangs: it has shown no sign of life for" in run_to_end("status", environment)[1]
            )
        eventually(lambda: is_sound(environment))

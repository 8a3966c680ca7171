"""Runs the machine, the same sequences each time, and makes sure that all that matters has happened in them.

RULES_EXAMPLES=5000 in the environment tries so many sequences, other ones each time (and takes --timeout=0).
"""

import os
from collections import Counter
from collections.abc import Callable, Set
from typing import ClassVar, get_args

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from allocation.domain import errors
from allocation.domain.commands import Command
from allocation.domain.errors import Refusal
from allocation.domain.events import Event
from tests.model.machine import Rules
from tests.model.observed import Observed

COMMANDS = {command.__name__ for command in get_args(Command)}
EVENTS = {event.__name__ for event in Event.__subclasses__()}
REFUSALS = {refusal.__name__ for refusal in Refusal.__subclasses__() if refusal.__module__ == errors.__name__}
TURNS = {
    "a displaced line that was placed again",
    "a displaced line that waits",
    "a line that waited and got stock",
    "a keyed repeat",
    "a keyed repeat of a refusal",
    "a key reused",
}


def assert_the_rules_hold(
    open_subject: Callable[[], Observed], *, examples: int, steps: int, to_be_reached: Set[str]
) -> None:
    """Over so many sequences, the same ones each time; and all that was to be reached has happened in one of them."""
    asked_for = os.environ.get("RULES_EXAMPLES")

    class TheseRules(Rules):
        subject = staticmethod(open_subject)
        reached: ClassVar[Counter[str]] = Counter()

    run_state_machine_as_test(
        TheseRules,
        settings=settings(
            max_examples=int(asked_for or examples),
            stateful_step_count=steps,
            derandomize=asked_for is None,
            database=None,
            deadline=None,
            report_multiple_bugs=False,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
    reached = {thing for thing, times in TheseRules.reached.items() if times}
    assert to_be_reached <= reached, f"never happened: {to_be_reached - reached}"

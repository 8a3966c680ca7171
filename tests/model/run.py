"""Runs the state machine and checks that its sequences have reached everything that matters.

By default, it runs the same sequences each time. With RULES_EXAMPLES=5000 in the environment, it runs that number of
new sequences each time. Then pytest also needs --timeout=0.
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
    "a displaced line gets another batch",
    "a displaced line waits",
    "a waiting line gets a batch",
    "a key is repeated",
    "a key of a refused command is repeated",
    "a key is used for another command",
}
"""Situations beyond the commands, events and refusals."""


def assert_the_rules_hold(
    open_subject: Callable[[], Observed], *, examples: int, steps: int, to_be_reached: Set[str]
) -> None:
    """Run `examples` sequences of up to `steps` commands, each on a new store.

    Raises AssertionError if a store and the model disagree, or if no sequence has reached a name in `to_be_reached`.
    """
    requested = os.environ.get("RULES_EXAMPLES")

    class TheseRules(Rules):
        subject = staticmethod(open_subject)
        reached: ClassVar[Counter[str]] = Counter()

    run_state_machine_as_test(
        TheseRules,
        settings=settings(
            max_examples=int(requested or examples),
            stateful_step_count=steps,
            derandomize=requested is None,
            database=None,
            deadline=None,
            report_multiple_bugs=False,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
    reached = {name for name, times in TheseRules.reached.items() if times}
    assert to_be_reached <= reached, f"no sequence has reached {to_be_reached - reached}"

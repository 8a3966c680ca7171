"""The handlers over the fake store follow the rules of the model in every sequence of commands."""

import pytest

from tests.model.observed import OverFakeStore
from tests.model.run import COMMANDS, EVENTS, REFUSALS, TURNS, assert_the_rules_hold

EVERYTHING = COMMANDS | EVENTS | REFUSALS | TURNS


def test_sequences_of_commands_follow_the_rules() -> None:
    assert_the_rules_hold(OverFakeStore, examples=80, steps=40, to_be_reached=EVERYTHING)


@pytest.mark.slow
def test_a_thousand_sequences_of_commands_follow_the_rules() -> None:
    assert_the_rules_hold(OverFakeStore, examples=1_000, steps=40, to_be_reached=EVERYTHING)

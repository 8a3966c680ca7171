from tests.model.observed import OverFakeStore
from tests.model.run import COMMANDS, EVENTS, REFUSALS, TURNS, assert_the_rules_hold


def test_any_sequence_of_commands_comes_to_what_the_rules_say() -> None:
    everything = COMMANDS | EVENTS | REFUSALS | TURNS
    assert_the_rules_hold(OverFakeStore, examples=150, steps=40, to_be_reached=everything)

from functools import partial

import pytest
from sqlalchemy import Engine

from tests.model.observed import OverPostgres
from tests.model.run import COMMANDS, EVENTS, TURNS, assert_the_rules_hold


@pytest.mark.slow
def test_any_sequence_of_commands_obeys_the_rules_on_postgres(engine: Engine) -> None:
    to_be_reached = COMMANDS | EVENTS | TURNS
    assert_the_rules_hold(partial(OverPostgres, engine), examples=15, steps=40, to_be_reached=to_be_reached)

"""The fast path while the views do not exist."""

from collections.abc import Sequence
from typing import cast

import pytest

from allocation.event_handlers import PROJECTION
from readmodel.projector.fast_path import PAUSE, FastPath
from readmodel.store.errors import ModelAbsent
from readmodel.store.registers import Register
from readmodel.store.store import Store
from tests.support.golden import golden


class AbsentStore:
    def __init__(self) -> None:
        self.tries = 0

    def apply(self, registers: Sequence[Register]) -> None:
        assert registers
        self.tries += 1
        raise ModelAbsent


def test_each_command_tries_but_only_one_logs_in_each_pause(caplog: pytest.LogCaptureFixture) -> None:
    store, now = AbsentStore(), [100.0]
    fast_path = FastPath(cast("Store", store), PROJECTION, clock=lambda: now[0])
    for now[0] in (100.0, 100.1, 100.0 + PAUSE / 2, 100.0 + PAUSE, 100.1 + PAUSE):
        fast_path(golden("events.json"))
    assert store.tries == 5
    assert len(caplog.records) == 2

"""The fast path before the views exist, and afterwards."""

from collections.abc import Sequence
from typing import cast

import pytest

from allocation.event_handlers import PROJECTION
from allocation.service_layer.unit_of_work import CommittedEvents
from readmodel.projector.fast_path import FastPath
from readmodel.store.errors import ModelAbsent
from readmodel.store.registers import Register
from readmodel.store.store import Store
from tests.support.golden import golden


class AbsentStore:
    def __init__(self) -> None:
        self.tries = 0
        self.exists = False

    def apply(self, registers: Sequence[Register], identity: str) -> None:
        assert registers
        assert identity == "the log"
        self.tries += 1
        if not self.exists:
            raise ModelAbsent


def test_each_command_tries_but_an_absence_takes_two_log_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    store, now = AbsentStore(), [100.0]
    fast_path = FastPath(cast("Store", store), PROJECTION, clock=lambda: now[0])
    for now[0] in (100.0, 100.1, 104.0):
        fast_path(CommittedEvents(golden("events.json"), "the log"))
    store.exists = True
    for now[0] in (147.0, 148.0):
        fast_path(CommittedEvents(golden("events.json"), "the log"))
    assert store.tries == 5
    assert caplog.messages == [
        "Commands do not update the views now. The relay rebuilds them: the read model does not exist",
        "Commands update the views again after 47 s",
    ]

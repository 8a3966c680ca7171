"""Executes each command in a store and in the model, and compares the two."""

from collections import Counter
from collections.abc import Sequence
from functools import partial

from allocation.domain.commands import Command
from allocation.domain.errors import Refusal
from allocation.service_layer.idempotency import IdempotencyKey
from allocation.service_layer.unit_of_work import LoggedEvent
from tests.model import soundness
from tests.model.comparisons import (
    Answer,
    as_json,
    assert_preview_was_right,
    assert_state_equals_model,
    comparable,
    outcome_of,
)
from tests.model.observed import Observed, State
from tests.model.rules import Model


class CheckedStore:
    """A store beside its model.

    `outcome` is that of the last command. `state` and `log` are the content of the store after it. `reached` counts the
    command types, events, refusals and situations so far.
    """

    def __init__(self, store: Observed, reached: Counter[str]) -> None:
        self._store = store
        self._model = Model()
        self.reached = reached
        self.outcome: Answer | Exception = None
        self._observe()

    def execute(self, command: Command, key: IdempotencyKey | None = None) -> None:
        """Preview the command and execute it in both. Compare outcomes, states and the preview."""
        state, logged = self.state, len(self.log)
        preview = outcome_of(lambda: self._store.bus.preview(command))
        self.assert_unchanged()
        self.outcome = outcome_of(lambda: self._store.bus.handle(command, key))
        expected = outcome_of(lambda: self._model.handle(command))
        self._observe()
        assert comparable(self.outcome) == comparable(expected)
        assert_state_equals_model(self.state, self._model)
        assert_preview_was_right(preview, self.outcome, state, self.state)
        if isinstance(self.outcome, Refusal):
            assert self.state == state, "a refused command changes nothing"
        new_events = self.log[logged:]
        assert bool(new_events) == (self.state != state), "a command raises events only if it changes something"
        soundness.assert_no_line_was_displaced_needlessly(self.state, new_events)
        self._count(command, state, new_events)

    def execute_together(self, commands: Sequence[Command]) -> None:
        """Execute commands that may share a transaction, and compare their outcomes and the state."""
        expected = [outcome_of(partial(self._model.handle, command)) for command in commands]
        outcomes = self._store.bus.handle_all(commands)
        answers = [outcome if isinstance(outcome, Exception) else as_json(outcome.result) for outcome in outcomes]
        assert [comparable(answer) for answer in answers] == [comparable(answer) for answer in expected]
        self._observe()
        assert_state_equals_model(self.state, self._model)

    def repeat_key(self, command: Command, key: IdempotencyKey) -> Answer | Exception:
        """Send a command under a key that was used before. Return its outcome. It must not change anything."""
        outcome = outcome_of(lambda: self._store.bus.handle(command, key))
        self.assert_unchanged()
        return outcome

    def assert_unchanged(self) -> None:
        assert (self._store.state(), len(self._store.log())) == (self.state, len(self.log))

    def _observe(self) -> None:
        self.state, self.log = self._store.state(), self._store.log()

    def _count(self, command: Command, before: State, new_events: Sequence[LoggedEvent]) -> None:
        self.reached[type(command).__name__] += 1
        if isinstance(self.outcome, Refusal):
            self.reached[type(self.outcome).__name__] += 1
        self.reached.update(event["type"] for event in new_events)
        displaced = {event["line"]["orderid"] for event in new_events if event["type"] == "Displaced"}
        allocated = {event["line"]["orderid"] for event in new_events if event["type"] == "Allocated"}
        self.reached["a displaced line gets another batch"] += bool(displaced & allocated)
        self.reached["a displaced line waits"] += bool(displaced - allocated)
        waiting = {key for key, line in before.lines.items() if line.status == "waiting"}
        self.reached["a waiting line gets a batch"] += any(
            self.state.lines[key].status == "allocated" for key in waiting
        )

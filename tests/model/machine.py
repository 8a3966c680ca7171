"""Any sequence of commands, through the real bus and through the model: both must come to the same.

Hypothesis chooses the commands and, where the two disagree, looks for the shortest sequence that shows it.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from typing import ClassVar

import hypothesis.strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from allocation.domain.commands import (
    Allocate,
    AllocateOrder,
    CancelOrder,
    ChangeBatchEta,
    ChangeBatchQuantity,
    ChangeLineQuantity,
    Command,
    CreateBatch,
    Deallocate,
    Ship,
)
from allocation.domain.errors import Refusal
from allocation.entrypoints.http.idempotency_keys import key_of, key_scope
from allocation.service_layer.idempotency import IdempotencyKey, KeyReused
from allocation.service_layer.unit_of_work import LoggedEvent
from tests.model import soundness
from tests.model.any_command import (
    allocations,
    batch_etas,
    batch_quantities,
    batch_sizes,
    batches,
    cancellations,
    commands,
    cuts,
    deallocations,
    etas,
    line_quantities,
    orders,
    shipments,
)
from tests.model.comparisons import Answer, as_json, assert_foretold, assert_same, compared, outcome
from tests.model.observed import Observed, State
from tests.model.rules import Model


class Rules(RuleBasedStateMachine):
    """`subject` opens an empty store; `reached` counts what all of the sequences have come to."""

    subject: ClassVar[Callable[[], Observed]]
    reached: ClassVar[Counter[str]]

    sent = Bundle[Command]("sent")
    keyed = Bundle[tuple[Command, IdempotencyKey, Answer | Exception]]("keyed")

    def __init__(self) -> None:
        super().__init__()
        self.store = type(self).subject()
        self.model = Model()
        self.keys = 0
        self.look()

    @initialize(
        quantities=st.tuples(batch_sizes, batch_sizes, batch_sizes),
        etas=st.tuples(etas, etas, etas),
        lines=st.lists(allocations, min_size=4, max_size=8),
    )
    def begins(self, quantities: tuple[int, ...], etas: tuple[date | None, ...], lines: Sequence[Allocate]) -> None:
        for ref, sku, qty, eta in zip(("b1", "b2", "b3"), ("CHAIR", "CHAIR", "LAMP"), quantities, etas, strict=True):
            self.carry_out(CreateBatch(ref, sku, qty, eta))
        for line in lines:
            self.carry_out(line)

    @rule(target=sent, command=batches)
    def adds_a_batch(self, command: CreateBatch) -> Command:
        return self.carry_out(command)

    @rule(target=sent, command=batch_quantities)
    def changes_a_batch_s_quantity(self, command: ChangeBatchQuantity) -> Command:
        return self.carry_out(command)

    @rule(target=sent, command=cuts)
    def cuts_a_batch(self, command: ChangeBatchQuantity) -> Command:
        return self.carry_out(command)

    @rule(target=sent, command=batch_etas)
    def changes_a_batch_s_eta(self, command: ChangeBatchEta) -> Command:
        return self.carry_out(command)

    @rule(target=sent, command=allocations)
    def allocates(self, command: Allocate) -> Command:
        return self.carry_out(command)

    @rule(target=sent, command=deallocations)
    def deallocates(self, command: Deallocate) -> Command:
        return self.carry_out(command)

    @rule(target=sent, command=line_quantities)
    def changes_a_line_s_quantity(self, command: ChangeLineQuantity) -> Command:
        return self.carry_out(command)

    @rule(target=sent, command=shipments)
    def ships(self, command: Ship) -> Command:
        return self.carry_out(command)

    @rule(target=sent, command=orders)
    def allocates_an_order(self, command: AllocateOrder) -> Command:
        return self.carry_out(command)

    @rule(target=sent, command=cancellations)
    def cancels_an_order(self, command: CancelOrder) -> Command:
        return self.carry_out(command)

    @rule(command=sent)
    def sends_an_earlier_command_twice(self, command: Command) -> None:
        self.carry_out(command)
        first, state = self.outcome, self.state
        self.carry_out(command)
        assert (compared(self.outcome), self.state) == (compared(first), state), "the second has no further effect"

    @rule(several=st.lists(allocations, min_size=2, max_size=4))
    def sends_allocations_that_may_share_a_transaction(self, several: Sequence[Command]) -> None:
        expected = [outcome(partial(self.model.handle, command)) for command in several]
        came_to = self.store.bus.handle_all(several)
        answers = [one if isinstance(one, Exception) else as_json(one.result) for one in came_to]
        assert [compared(one) for one in answers] == [compared(one) for one in expected]
        self.look()
        assert_same(self.state, self.model)

    @rule(target=keyed, command=commands)
    def sends_a_command_with_a_key(self, command: Command) -> tuple[Command, IdempotencyKey, Answer | Exception]:
        self.keys += 1
        its_key = key_of(key_scope("/route", None), f"key {self.keys}", command)
        self.carry_out(command, its_key)
        return command, its_key, self.outcome

    @rule(earlier=keyed)
    def repeats_a_key(self, earlier: tuple[Command, IdempotencyKey, Answer | Exception]) -> None:
        command, its_key, first = earlier
        again = outcome(lambda: self.store.bus.handle(command, its_key))
        assert (type(again), repr(again)) == (type(first), repr(first)), "a key's second answer is its first"
        self.assert_nothing_changed()
        self.reached["a keyed repeat"] += 1
        self.reached["a keyed repeat of a refusal"] += isinstance(first, Refusal)

    @rule(earlier=keyed, other=commands)
    def uses_a_key_for_another_command(
        self, earlier: tuple[Command, IdempotencyKey, Answer | Exception], other: Command
    ) -> None:
        command, its_key, _ = earlier
        if other != command:
            reused = outcome(lambda: self.store.bus.handle(other, key_of(its_key.scope, its_key.value, other)))
            assert isinstance(reused, KeyReused)
            self.assert_nothing_changed()
            self.reached["a key reused"] += 1

    def carry_out(self, command: Command, its_key: IdempotencyKey | None = None) -> Command:
        before, told_before = self.state, len(self.log)
        foreseen = outcome(lambda: self.store.bus.preview(command))
        self.assert_nothing_changed()
        self.outcome = outcome(lambda: self.store.bus.handle(command, its_key))
        expected = outcome(lambda: self.model.handle(command))
        self.look()
        assert compared(self.outcome) == compared(expected)
        assert_same(self.state, self.model)
        assert_foretold(foreseen, self.outcome, before, self.state)
        if isinstance(self.outcome, Refusal):
            assert self.state == before, "where a command is refused nothing has changed"
        new = self.log[told_before:]
        assert bool(new) == (self.state != before), "there are events where something changed, and only there"
        soundness.assert_no_line_was_displaced_in_vain(self.state, new)
        self.count(command, before, new)
        return command

    def look(self) -> None:
        self.state, self.log = self.store.state(), self.store.log()

    def assert_nothing_changed(self) -> None:
        assert (self.store.state(), len(self.store.log())) == (self.state, len(self.log))

    def count(self, command: Command, before: State, new: Sequence[LoggedEvent]) -> None:
        self.reached[type(command).__name__] += 1
        if isinstance(self.outcome, Refusal):
            self.reached[type(self.outcome).__name__] += 1
        self.reached.update(event["type"] for event in new)
        displaced = {event["line"]["orderid"] for event in new if event["type"] == "Displaced"}
        allocated = {event["line"]["orderid"] for event in new if event["type"] == "Allocated"}
        self.reached["a displaced line that was placed again"] += bool(displaced & allocated)
        self.reached["a displaced line that waits"] += bool(displaced - allocated)
        waited = {line for line, row in before.lines.items() if row.status == "waiting"}
        self.reached["a line that waited and got stock"] += any(
            self.state.lines[line].status == "allocated" for line in waited
        )

    @invariant()
    def the_store_is_sound(self) -> None:
        soundness.assert_the_store_is_sound(self.state, self.log)

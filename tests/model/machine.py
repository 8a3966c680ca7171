"""A state machine that sends sequences of commands to a store and to the model.

Hypothesis chooses the commands. If the store and the model disagree, it searches for the shortest sequence that shows
the difference.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date
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
from tests.model import soundness
from tests.model.checked_store import CheckedStore
from tests.model.command_strategies import (
    allocations,
    batch_etas,
    batch_quantities,
    batch_sizes,
    batches,
    cancellations,
    commands,
    deallocations,
    etas,
    line_quantities,
    orders,
    shipments,
    shrinks,
)
from tests.model.comparisons import Answer, comparable
from tests.model.observed import Observed, State

KeyedCommand = tuple[Command, IdempotencyKey, Answer | Exception]
"""A command, its idempotency key, and its first outcome."""


class Rules(RuleBasedStateMachine):
    """`subject` opens an empty store. `reached` counts what all sequences together have reached."""

    subject: ClassVar[Callable[[], Observed]]
    reached: ClassVar[Counter[str]]

    sent = Bundle[Command]("sent")
    keyed = Bundle[KeyedCommand]("keyed")

    def __init__(self) -> None:
        super().__init__()
        self.checked = CheckedStore(type(self).subject(), type(self).reached)
        self.keys = 0

    @property
    def state(self) -> State:
        """The strategies draw names from this state."""
        return self.checked.state

    @initialize(
        quantities=st.tuples(batch_sizes, batch_sizes, batch_sizes),
        etas=st.tuples(etas, etas, etas),
        lines=st.lists(allocations, min_size=4, max_size=8),
    )
    def begin(self, quantities: tuple[int, ...], etas: tuple[date | None, ...], lines: Sequence[Allocate]) -> None:
        # The references are not in alphabetical order, because their order decides between equal ETAs.
        for ref, sku, qty, eta in zip(("b5", "b2", "b4"), ("CHAIR", "CHAIR", "LAMP"), quantities, etas, strict=True):
            self.checked.execute(CreateBatch(ref, sku, qty, eta))
        for line in lines:
            self.checked.execute(line)

    @rule(target=sent, command=batches)
    def create_batch(self, command: CreateBatch) -> Command:
        return self.send(command)

    @rule(target=sent, command=batch_quantities)
    def change_batch_quantity(self, command: ChangeBatchQuantity) -> Command:
        return self.send(command)

    @rule(target=sent, command=shrinks)
    def shrink_batch(self, command: ChangeBatchQuantity) -> Command:
        return self.send(command)

    @rule(target=sent, command=batch_etas)
    def change_batch_eta(self, command: ChangeBatchEta) -> Command:
        return self.send(command)

    @rule(target=sent, command=allocations)
    def allocate(self, command: Allocate) -> Command:
        return self.send(command)

    @rule(target=sent, command=deallocations)
    def deallocate(self, command: Deallocate) -> Command:
        return self.send(command)

    @rule(target=sent, command=line_quantities)
    def change_line_quantity(self, command: ChangeLineQuantity) -> Command:
        return self.send(command)

    @rule(target=sent, command=shipments)
    def ship(self, command: Ship) -> Command:
        return self.send(command)

    @rule(target=sent, command=orders)
    def allocate_order(self, command: AllocateOrder) -> Command:
        return self.send(command)

    @rule(target=sent, command=cancellations)
    def cancel_order(self, command: CancelOrder) -> Command:
        return self.send(command)

    @rule(command=sent)
    def send_earlier_command_twice(self, command: Command) -> None:
        self.checked.execute(command)
        outcome, state = self.checked.outcome, self.state
        self.checked.execute(command)
        repeated = comparable(self.checked.outcome), self.state
        assert repeated == (comparable(outcome), state), "the second request has no further effect"

    @rule(allocations=st.lists(allocations, min_size=2, max_size=4))
    def send_allocations_together(self, allocations: Sequence[Command]) -> None:
        self.checked.execute_together(allocations)

    @rule(target=keyed, command=commands)
    def send_command_with_key(self, command: Command) -> KeyedCommand:
        self.keys += 1
        key = key_of(key_scope("/route", None), f"key {self.keys}", command)
        self.checked.execute(command, key)
        return command, key, self.checked.outcome

    @rule(keyed_command=keyed)
    def repeat_key(self, keyed_command: KeyedCommand) -> None:
        command, key, first = keyed_command
        second = self.checked.repeat_key(command, key)
        assert (type(second), repr(second)) == (type(first), repr(first)), "a repeated key gets the first answer"
        self.reached["a key is repeated"] += 1
        self.reached["a key of a refused command is repeated"] += isinstance(first, Refusal)

    @rule(keyed_command=keyed, other=commands)
    def reuse_key_for_another_command(self, keyed_command: KeyedCommand, other: Command) -> None:
        command, key, _ = keyed_command
        if other != command:
            outcome = self.checked.repeat_key(other, key_of(key.scope, key.value, other))
            assert isinstance(outcome, KeyReused)
            self.reached["a key is used for another command"] += 1

    def send(self, command: Command) -> Command:
        self.checked.execute(command)
        return command

    @invariant()
    def the_store_is_sound(self) -> None:
        soundness.assert_the_store_is_sound(self.state, self.checked.log)

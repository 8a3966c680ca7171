"""A lock set for tests that need no particular one."""

from allocation.service_layer.unit_of_work import LockSet

LOCKS = LockSet(
    skus=frozenset(["S", "T"]),
    lines=frozenset([("o1", "S"), ("o2", "S")]),
    batches=frozenset(["b1", "b2"]),
    new_skus=frozenset(["S", "T"]),
)

"""The batches that a line could not get: why it waits, or why it did not get the first batch with stock.

Registers and entries store each batch as an array, without the names of its members.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from readmodel.store.registers import Shape, has_shape, is_number, is_text, is_text_or_null

BATCH: Shape = {"ref": is_text, "eta": is_text_or_null, "available": is_number}
PACKED: Shape = dict(enumerate(BATCH.values()))

Why = Sequence[Mapping[str, Any]] | None


def pack(why: Why) -> list[list[Any]] | None:
    return None if why is None else [[batch[name] for name in BATCH] for batch in why]


def unpack(packed: Any) -> Why:
    """Return [{"ref", "eta", "available"}, …] or None. The argument must pass `is_packed`."""
    return None if packed is None else [dict(zip(BATCH, batch, strict=True)) for batch in packed]


def is_packed(packed: Any) -> bool:
    return packed is None or (
        isinstance(packed, list)
        and all(isinstance(batch, list) and len(batch) == len(PACKED) and has_shape(batch, PACKED) for batch in packed)
    )


def is_why(why: Any) -> bool:
    return why is None or (isinstance(why, list) and all(has_shape(batch, BATCH) for batch in why))

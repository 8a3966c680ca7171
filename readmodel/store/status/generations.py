"""The generations in Redis: which one is live, what it shows, and how large and old it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from readmodel.store import keys
from readmodel.store.errors import ModelAbsent
from readmodel.store.generations import Generations
from readmodel.store.records.progress import milliseconds
from readmodel.store.registers import number_of
from readmodel.store.status.sizes import Size
from readmodel.store.store import Store

LIVE, OTHER, UNUSED = "live", "written, too", "no reader or writer uses it"


@dataclass(frozen=True)
class GenerationStatus:
    """A generation. A member is None if Redis does not have it, or if it is damaged.

    - `use`: LIVE, OTHER or UNUSED. A generation that a rebuild fills is UNUSED at first.
    - `position`: the position that every bucket has reached
    - `identities`: the histories of the log that its buckets show
    - `age`: seconds since a rebuild began to fill it
    """

    name: str
    use: str
    position: int | None
    identities: tuple[str, ...]
    epoch: int | None
    age: float | None
    size: Size | None


def read_generations(store: Store, sizes: Mapping[str, Size]) -> list[GenerationStatus]:
    """Return the generations that Redis has, the live one first. Raise RedisError if Redis is unavailable.

    It uses only commands that the user of `allocation queries` may call.
    """
    try:
        known = store.generations()
    except ModelAbsent:
        known = Generations()
    named = [name for name in known if name]
    return [
        read_generation(store, name, use_of(name, known), sizes.get(name))
        for name in [*named, *sorted(set(sizes) - set(named))]
    ]


def use_of(name: str, known: Generations) -> str:
    return LIVE if name == known.live else OTHER if name == known.other else UNUSED


def read_generation(store: Store, name: str, use: str, size: Size | None) -> GenerationStatus:
    with store.redis.pipeline(transaction=False) as pipeline:
        pipeline.time()
        for bucket in keys.BUCKETS:
            pipeline.get(f"{name}:{keys.cursor(bucket)}")
            pipeline.get(f"{name}:{keys.filled(bucket)}")
            pipeline.hgetall(f"{name}:{keys.history(bucket)}")
        now, *rest = pipeline.execute(raise_on_error=False)
    positions = [position_in(cursor, filled) for cursor, filled in zip(rest[::3], rest[1::3], strict=True)]
    histories = [history if isinstance(history, dict) else {} for history in rest[2::3]]
    reached = [position for position in positions if position is not None]
    begun = lowest(histories, "begun")
    return GenerationStatus(
        name,
        use,
        min(reached) if len(reached) == len(positions) else None,
        tuple(sorted({history["identity"] for history in histories if "identity" in history})),
        lowest(histories, "epoch"),
        None if begun is None else max(0.0, (milliseconds(now) - begun) / 1_000),
        size,
    )


def position_in(*stored: Any) -> int | None:
    """Return the first number. An error or a damaged value is no number."""
    numbers = [number_of(value) for value in stored if isinstance(value, str)]
    return next((number for number in numbers if number is not None), None)


def lowest(histories: Sequence[Mapping[str, str]], member: str) -> int | None:
    numbers = [number_of(history.get(member, "")) for history in histories]
    return min((number for number in numbers if number is not None), default=None)

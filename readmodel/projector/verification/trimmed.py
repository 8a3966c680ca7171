"""Finds which entries a list of events has trimmed, because it keeps only its last ones."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from redis import Redis

from readmodel.projector.verification.hashes import results, stored_name
from readmodel.store.formats import format_of

Entry = tuple[str, str]
"""The key of a list, and the content of an entry."""


def trimmed_entries(redis: Redis, generation: str, missing: Sequence[Entry]) -> Iterable[Entry]:
    """Return the missing entries that do not belong to the last entries of their lists, which are lists of events."""
    members_of: dict[str, set[str]] = defaultdict(set)
    for key, member in missing:
        members_of[key].add(member)
    pipeline = redis.pipeline(transaction=False)
    for key in members_of:
        pipeline.zrange(stored_name(generation, key), 0, -1)
    kept = format_of(generation).kept
    for (key, members), found in zip(members_of.items(), results(pipeline), strict=True):
        last = sorted(members.union(found or ()))[-kept:]
        yield from ((key, member) for member in members.difference(last))

"""Finds the entries that a list has trimmed, because it keeps only its last ones."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from redis import Redis

from readmodel.projector.verification.hashes import results, stored_name
from readmodel.store.formats import format_of
from readmodel.store.functions import STORED


def trimmed_entries(redis: Redis, generation: str, missing: Sequence[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    """Return those of the missing entries that their list has trimmed. An entry has a list's key and its content.

    A list that is full trims each entry that precedes all others.
    """
    kept = format_of(generation).kept
    members_of = {key: [member for _, member in group] for key, group in groupby(sorted(missing), lambda one: one[0])}
    pipeline = redis.pipeline(transaction=False)
    for key in members_of:
        pipeline.zcard(stored_name(generation, key))
        pipeline.zrange(stored_name(generation, key), 0, 0)
    replies = results(pipeline)
    found = zip(members_of.items(), replies[::2], replies[1::2], strict=True)
    return [
        (key, member)
        for (key, members), size, first in found
        for member in members
        if size and size >= kept > 0 and member.encode(errors=STORED) < first[0].encode(errors=STORED)
    ]

"""Reads a page of a list that is divided among all buckets."""

from collections.abc import Callable, Sequence

from readmodel.store import keys
from readmodel.store.lists import Page, PageRequest, Range, page_of, range_of
from readmodel.store.reads.reading import Reading
from readmodel.store.reads.snapshot import Snapshot


def divided_page(
    snapshot: Snapshot, key_in: Callable[[str], str], wanted: PageRequest, *others: Range
) -> Reading[tuple[Page, Sequence[Sequence[str]]]]:
    """Return a page of the list whose key in a bucket `key_in` returns, and the entries in the `others`.

    Names spread evenly over the buckets, so the first trip asks each bucket for a share. If a bucket has more entries
    of the page, another trip asks for all.
    """
    share = share_of(wanted.limit)
    while True:
        ranges = [range_of(key_in(bucket), wanted)._replace(most=share) for bucket in keys.BUCKETS]
        found = yield from snapshot.ranges(*others, *ranges)
        parts = found[len(others) :]
        if share > wanted.limit or is_complete(parts, share, wanted.limit):
            return page_of(key_in(keys.BUCKETS[0]), parts, wanted), found[: len(others)]
        share = wanted.limit + 1


def share_of(limit: int) -> int:
    """Return how many entries of a page to expect in one bucket at most: several times the mean."""
    return min(limit + 1, 6 + limit // 8)


def is_complete(parts: Sequence[Sequence[str]], share: int, limit: int) -> bool:
    """Return whether no bucket has further entries of the page. Only a bucket with a whole share can have them."""
    members = sorted(member for part in parts for member in part)
    return all(len(part) < share or (len(members) > limit and part[-1] >= members[limit]) for part in parts)

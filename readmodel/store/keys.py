"""The Redis keys of a generation.

    g<n>:{<bucket>}:cursor      string   the log position up to which the bucket holds every event
    g<n>:{<bucket>}:filled      string   in place of the cursor while a rebuild fills the generation
    g<n>:{<bucket>}:history     hash     identity and epoch of the log that the bucket shows, a mark: its last event,
                                         and the moment at which a rebuild began to fill the generation
    g<n>:{<bucket>}:<view key>  hash     registers; the modules of readmodel/views/ list their keys

A bucket is a hash tag. All keys of a bucket are on one node of a cluster, and one call changes them together. The
functions below return keys without the generation.
"""

from functools import lru_cache
from zlib import crc32

BUCKETS = [f"{{{number:02}}}" for number in range(32)]

ORGANISING_KEYS = frozenset(f"{bucket}:{name}" for bucket in BUCKETS for name in ("cursor", "history"))
"""The keys of an open generation that hold no view."""

cached = lru_cache(maxsize=10_000)
"""Decorates functions that return view keys. Consecutive events often name the same order, product and batch."""


def bucket_for(identifier: str) -> str:
    return BUCKETS[crc32(identifier.encode()) % len(BUCKETS)]


def bucket_of(key: str) -> str:
    return key[: len(BUCKETS[0])]


def cursor(bucket: str) -> str:
    return f"{bucket}:cursor"


def filled(bucket: str) -> str:
    return f"{bucket}:filled"


def history(bucket: str) -> str:
    return f"{bucket}:history"


def identifier_in(key: str) -> str:
    """Return the identifier in the key of a view's hash."""
    return key.split(":", 2)[2]


def view_key(kind: str, identifier: str) -> str:
    """Return the key of a view's hash, for example {07}:order:o1."""
    return f"{bucket_for(identifier)}:{kind}:{identifier}"

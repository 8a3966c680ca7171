"""A fingerprint of the views, the same for the same views whatever generation and order they were written in."""

import hashlib
from typing import cast

from redis import Redis


def digest(redis: Redis, generation: str) -> str:
    """SHA-256 over every hash of the generation: keys without the generation, and fields, sorted; cursors left out."""
    views = hashlib.sha256()
    for key in sorted(redis.scan_iter(match=f"{generation}:*", count=1_000, _type="hash")):
        views.update(key.removeprefix(generation).encode())
        for field, register in sorted(cast("dict[str, str]", redis.hgetall(key)).items()):
            views.update(f"\0{field}\0{register}".encode())
        views.update(b"\1")
    return views.hexdigest()

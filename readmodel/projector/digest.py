"""A fingerprint of the views. Equal views have equal fingerprints, in any generation and write order."""

import hashlib
from collections.abc import Callable
from typing import cast

from redis import Redis

from readmodel.store import keys

STORED = "surrogateescape"
"""How the client decodes bytes that are not UTF-8."""


def digest(redis: Redis, generation: str, progress: Callable[[int, int], object] = lambda *_: None) -> str:
    """Return one SHA-256 over all hashes and lists of the generation, with keys and fields sorted. Omit other keys.

    `progress` receives the number of handled keys and the number of all keys.
    """
    views = hashlib.sha256()
    hashes, lists = (
        set(redis.scan_iter(match=f"{generation}:{{*", count=1_000, _type=kind)) for kind in ("hash", "zset")
    )
    found_keys = sorted(hashes | lists)
    for number, key in enumerate(found_keys, 1):
        progress(number, len(found_keys))
        name = key.removeprefix(f"{generation}:")
        if name in keys.ORGANISING_KEYS:
            continue
        views.update(f":{name}".encode(errors=STORED))
        found = redis.hgetall(key) if key in hashes else dict.fromkeys(redis.zrange(key, 0, -1), "")
        for field, register in sorted(cast("dict[str, str]", found).items()):
            views.update(f"\0{field}\0{register}".encode(errors=STORED))
        views.update(b"\1")
    return views.hexdigest()

"""Checks whether queries can be answered, and whether the views are kept up to date."""

from typing import cast

from redis import Redis
from redis.exceptions import RedisError

from readmodel.store.errors import BUILT_BY_OLDER_RELEASE, ModelAbsent
from readmodel.store.formats import NEWEST, Format
from readmodel.store.names import Names
from readmodel.store.reads.reading import Reading
from readmodel.store.reads.snapshot import Snapshot
from readmodel.store.records.heartbeat import SUSPECT
from readmodel.store.records.signs_of_life import reason_of_silence
from readmodel.store.status.write_probe import refusal
from readmodel.store.store import Store
from readmodel.web.health import Finding
from readmodel.web.queries import reason_of

SUSPECT_VIEWS = "The views are suspect: the database may have lost events that they show"


def check_views(store: Store, suspect_is_ready: bool, too_old: float, *, writes: bool) -> Finding:
    """Return whether queries can be answered.

    Views that are more than `too_old` seconds behind are not ready. While the views are suspect, that depends on
    `suspect_is_ready`. The member `format` appears if an operator should rebuild the views. `writes` says that the
    process writes to this Redis server: then the server must accept writes.
    """
    try:
        found = store.read(read_format)
        views = found.warning
        members: dict[str, object] = {} if views is None else {"views": views}
        if found.value.number < NEWEST:
            members["format"] = BUILT_BY_OLDER_RELEASE
        reason = (
            reason_of_age(views, too_old)
            or reason_of_eviction(store.redis)
            or (reason_of_refusal(store.redis, store.names) if writes else None)
        )
        silence = reason_of_silence(store.redis, store.names.alive("relay"), "relay")
    except (ModelAbsent, RedisError) as error:
        return Finding(reason_of(error))
    if silence is not None:
        members["relay"] = silence
    return Finding(reason, members, SUSPECT_VIEWS if views == SUSPECT and not suspect_is_ready else None)


def read_format(snapshot: Snapshot) -> Reading[Format]:
    """Return the format of the live generation, after a trip that checks it."""
    yield from snapshot.hashes()
    return snapshot.format


def reason_of_age(views: str | None, too_old: float) -> str | None:
    """Return why the views are too old. `views` is the warning that queries answer with."""
    kind, _, seconds = (views or "").partition("; seconds=")
    if kind == "behind" and int(seconds) > too_old:
        return f"The views are {seconds} s behind"
    return None


def reason_of_eviction(redis: Redis) -> str | None:
    memory = cast("dict[str, object]", redis.info("memory"))
    policy = memory.get("maxmemory_policy", "noeviction")
    if str(policy).startswith("allkeys") and memory.get("maxmemory", 0):
        return f"Redis may evict keys of the views: its maxmemory-policy is {policy}, and must be noeviction"
    return None


def reason_of_refusal(redis: Redis, names: Names) -> str | None:
    """Return why Redis refuses writes, or None."""
    reason = refusal(redis, names)
    return None if reason is None else f"Redis refuses writes: {reason}"

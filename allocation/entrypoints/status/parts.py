"""The lines of the screen, part by part. Each line is a label and a text. A line without a label continues the last."""

from collections.abc import Iterator

from allocation.adapters.postgres.checks.holders import Holder
from allocation.entrypoints.status.status import DatabaseStatus, Status, Unreachable
from allocation.entrypoints.status.texts import age, count, events, size
from readmodel.store.records.process_reports import ProcessReport
from readmodel.store.status.generations import GenerationStatus
from readmodel.store.status.processes import Use, total, uses
from readmodel.store.status.roles import RoleStatus
from readmodel.store.status.views import RedisStatus

SHOWN = 3
"""The most holders, and the most processes of a role."""

MOST_PROCESSES = 12
COUNTERS = {
    "allocation_commands_total": "command",
    "allocation_retries_total": "retry",
    "allocation_lock_timeouts_total": "lock time-out",
    "allocation_fast_path_failures_total": "fast-path failure",
    "allocation_refused_requests_total": "refused request",
    "allocation_messages_total": "message",
}
"""The counters of a process, and what they count."""
THREADS = "allocation_threads"
RESOURCES = {"allocation_database_connections": "connections", THREADS: "threads"}
"""The limited resources, and their names. The screen shows how many are in use, and the limit."""

Lines = Iterator[tuple[str, str]]


def database_lines(status: Status) -> Lines:
    match status.database:
        case Unreachable(reason):
            yield "PostgreSQL", f"can't be reached: {reason}"
        case DatabaseStatus(server=server, not_ready=not_ready):
            kind = ", a standby" if server.standby else ""
            sessions = f"{server.sessions} of {server.most_sessions} sessions"
            yield "PostgreSQL", f"{server.version}{kind}: {size(server.bytes)}, {sessions}"
            if not_ready is not None:
                yield "", not_ready


def redis_lines(status: Status) -> Lines:
    match status.redis:
        case Unreachable(reason):
            yield "Redis", f"can't be reached: {reason}"
        case RedisStatus(server=server, refusal=refusal):
            limit = f" of {size(server.most_bytes)}" if server.most_bytes else " without a limit"
            kind = f", a {server.role}" if server.role != "primary" else ""
            keys = f"{count(server.keys, 'key')}, {server.policy}, up for {age(server.uptime)}"
            yield "Redis", f"{server.software} {server.version}{kind}: {size(server.bytes)}{limit}, {keys}"
            if refusal is not None:
                yield "", f"refuses writes: {refusal}"


def log_lines(status: Status) -> Lines:
    database = status.database
    if not isinstance(database, DatabaseStatus):
        return
    if log := database.log:
        fence = "" if log.fence == log.position else f", the fence at {log.fence:,}"
        yield "Log", f"position {log.position:,}{fence}, epoch {log.epoch}"
    for holder in database.holders[:SHOWN]:
        yield "  held by", holder_text(holder)
    if len(database.holders) > SHOWN:
        yield "", f"and {len(database.holders) - SHOWN} others"
    for name, found in database.subscriptions.items():
        yield f"  {name}", "unknown to this release" if found.lag is None else events(found.lag)
        if error := found.error:
            state = "works again" if error.failing is None else f"failing for {age(error.failing)}"
            yield "", f"{state}, last error {age(error.seconds)} ago: {error.text}"
    for name, letters in database.letters.items():
        numbers = f"{letters.dead} dead, {letters.waiting} waiting, {letters.retrying} retrying"
        yield "  dead letters", f"of {name}: {numbers}"


def holder_text(holder: Holder) -> str:
    since = "more than a second" if holder.seconds is None else age(holder.seconds)
    held = ["the fence"] * holder.fence + ["a product"] * holder.product
    waiting = [f"{holder.blocks} waiting"] * (holder.blocks > 0)
    role = f" of {holder.role}" if holder.role else ""
    return (
        f"process {holder.pid}{role}, {since}, {holder.state}: holds {', '.join([*held, *waiting])}: {holder.statement}"
    )


def view_lines(status: Status) -> Lines:
    redis = status.redis
    if not isinstance(redis, RedisStatus):
        return
    lag = "lag unknown" if status.views is None else events(status.views)
    confirmed = "never confirmed" if redis.confirmed is None else f"confirmed {age(redis.confirmed)} ago"
    yield "Views", redis.absent or ", ".join([lag, confirmed, *([redis.warning] if redis.warning else [])])
    for generation in redis.generations:
        yield f"  {generation.name}", generation_text(generation)
    drift = redis.drift
    last = "" if drift.seconds is None else f", the last one {age(drift.seconds)} ago"
    yield "  drift", f"{count(drift.registers, 'corrected register')}{last}"


def generation_text(generation: GenerationStatus) -> str:
    place = "no position" if generation.position is None else f"position {generation.position:,}"
    words = [generation.use, place]
    if found := generation.size:
        about = "" if found.exact else "about "
        words.append(f"{about}{count(found.keys, 'key')}, about {size(found.bytes)}")
    if generation.age is not None:
        words.append(f"built {age(generation.age)} ago")
    return ", ".join(words)


def role_lines(status: Status) -> Lines:
    if isinstance(status.redis, RedisStatus):
        for name, role in status.redis.roles.items():
            yield name.capitalize(), role_text(role)


def role_text(role: RoleStatus) -> str:
    listening = "" if role.listening is None else f"{role.listening} connected"
    likely = max(role.listening or 0, role.working, 1)  # The other processes have ended.
    signs = [f"{process} {age(seconds)} ago" for process, seconds in list(role.signs.items())[: min(likely, SHOWN)]]
    return "; ".join([part for part in (listening, ", ".join(signs)) if part]) or "none has worked"


def process_lines(status: Status) -> Lines:
    """Yield a line for each process, with its counters since its start."""
    if not isinstance(status.redis, RedisStatus):
        return
    for process in status.redis.processes[:MOST_PROCESSES]:
        yield f"  {process.role}", process_text(process, status.at.timestamp())
    if len(status.redis.processes) > MOST_PROCESSES:
        yield "", f"and {len(status.redis.processes) - MOST_PROCESSES} other processes"


def process_text(process: ProcessReport, now: float) -> str:
    counted = [(total(process.figures, metric), noun) for metric, noun in COUNTERS.items()]
    words = [count(number, noun) for number, noun in counted if number]
    for resource, name in RESOURCES.items():
        used = [f"{use.in_use}/{use.limit}{label_of(use)}" for use in uses(process.figures) if use.resource == resource]
        words += [f"{name} {', '.join(used)}"] * bool(used)
    since = age(max(0.0, now - process.started))
    return f"{process.host}:{process.pid}, {process.version}, up for {since}: {', '.join(words) or 'nothing to report'}"


def label_of(use: Use) -> str:
    """Return what the threads are for. A process has one pool of connections, which needs no name."""
    return f" {use.name}" if use.resource == THREADS else ""

"""The errors that an operator can correct or retry: each becomes one line, which says what to do."""

import re
import sys
from collections.abc import Callable
from typing import NamedTuple

from allocation.entrypoints.cli.exits import Failure, NotRun, Trouble, in_one_line

AGAIN = "Run the command again"
CORRECT_DATABASE = "Start PostgreSQL, or correct DATABASE_URL"
CORRECT_FILE = "Correct the file, or give another path"
CORRECT_REDIS = "Start Redis, or correct REDIS_URL"
REBUILD = "Start a relay, which builds the views, or run allocation rebuild"

BY_REASON = {
    "the database is not migrated": "Run allocation migrate",
    "the database is read-only": "Set DATABASE_URL to the primary, or wait for the end of the failover",
    "the database refuses access": "Run allocation migrate, which grants the privileges, or correct DATABASE_URL",
    "the disk of the database is full": "Free space on the disk of PostgreSQL",
}
"""What to do for each reason of a StoreUnavailable."""
BY_CODE = {
    "53300": "Raise max_connections of PostgreSQL, or end some of its sessions",
    "57014": AGAIN,
}
"""What to do for an error code of PostgreSQL. For any other code, correct the database or its URL."""
HINT_OF_DRIVER = re.compile(r"\s+Is the server running on that host and accepting TCP/IP connections\?")


class Expected(NamedTuple):
    """`advice` says what to do, or the message of the error itself says it. `subject` begins the line if needed."""

    module: str
    name: str
    advice: str | Callable[[Exception], str] = ""
    subject: str = ""
    ending: type[Failure] = NotRun


def advice_on_store(error: Exception) -> str:
    reason, cause = getattr(error, "reason", None), error.__cause__
    if reason is not None:
        return next((advice for start, advice in BY_REASON.items() if reason.startswith(start)), "")
    origin = type(cause).__module__.partition(".")[0]
    if origin in {"psycopg2", "sqlalchemy"}:
        code = getattr(getattr(cause, "orig", cause), "pgcode", None)
        return BY_CODE.get(code or "", CORRECT_DATABASE)
    return CORRECT_FILE if type(cause).__name__ == "BadFile" else ""


EXPECTED = (
    Expected("allocation.adapters.csv.rows", "BadFile", CORRECT_FILE),
    Expected(
        "allocation.adapters.postgres.log.event_log", "LogBehind", "Run allocation adopt: the log has lost events"
    ),
    Expected(
        "allocation.adapters.postgres.schema",
        "MigrationFailed",
        "Nothing has changed. Run the release that created the schema, or restore the database",
    ),
    Expected("allocation.config", "BadSettings"),
    Expected(
        "allocation.entrypoints.verification",
        "StillDifferent",
        "Find the program that changes keys in Redis, or run allocation rebuild",
        ending=Trouble,
    ),
    Expected("allocation.local.errors", "CannotStart"),
    Expected("allocation.service_layer.unit_of_work", "RetryableError", AGAIN),
    Expected(
        "allocation.service_layer.unit_of_work",
        "Busy",
        f"{AGAIN}. If it fails again, end the session that holds the lock",
    ),
    Expected("allocation.service_layer.unit_of_work", "StoreUnavailable", advice_on_store),
    Expected("readmodel.metrics.files", "FolderUnusable", "Delete the folder, or free space for it"),
    Expected("readmodel.projector.verification.differences", "ViewsBehind", "Run allocation check relay"),
    Expected("readmodel.projector.rebuild", "RebuildFailed", f"{AGAIN}. If it fails again, run allocation audit"),
    Expected("readmodel.store.errors", "UnknownFormat", "Use the newer release, or run allocation rebuild"),
    Expected("readmodel.store.errors", "ModelOutdated", "Wait for the relay, or start one"),
    Expected("readmodel.store.errors", "NeedsRebuild"),
    Expected("readmodel.store.errors", "ModelAbsent", REBUILD),
    Expected("readmodel.store.records.presence", "RedisShared"),
    Expected("redis.exceptions", "AuthenticationError", "Correct REDIS_URL", "Redis refuses the login"),
    Expected("redis.exceptions", "BusyLoadingError", f"Wait a moment. {AGAIN}", "Redis is not ready"),
    Expected("redis.exceptions", "ConnectionError", CORRECT_REDIS, "Redis can't be reached"),
    Expected("redis.exceptions", "TimeoutError", CORRECT_REDIS, "Redis can't be reached"),
    Expected("redis.exceptions", "ReadOnlyError", "Set REDIS_URL to the primary", "Redis refuses writes"),
    Expected(
        "redis.exceptions", "OutOfMemoryError", "Raise its maxmemory, or delete other keys", "Redis refuses writes"
    ),
    Expected("redis.exceptions", "NoPermissionError", "Correct the user in REDIS_URL", "Redis refuses access"),
    Expected("redis.exceptions", "RedisError", "Correct Redis, and run the command again", "Redis refuses a command"),
)
"""Every such error, and where it is defined. A subclass precedes its base class."""


def reported(error: Exception) -> Failure | None:
    """Return the error in one line that says what to do, or None if nobody expects the error."""
    expected = find(error)
    if expected is None:
        return None
    advice = expected.advice if isinstance(expected.advice, str) else expected.advice(error)
    return expected.ending(f"{described(error)}. {advice}" if advice else described(error))


def described(error: Exception) -> str:
    """Return what happened, in one line, without the advice."""
    expected = find(error)
    text = in_one_line(HINT_OF_DRIVER.sub("", str(error))).rstrip(".")
    return f"{expected.subject}: {text}" if expected and expected.subject else text


def find(error: Exception) -> Expected | None:
    """Return the entry of the error. A process can raise only errors of modules that it has loaded."""
    for expected in EXPECTED:
        module = sys.modules.get(expected.module)
        if module is not None and isinstance(error, getattr(module, expected.name)):
            return expected
    return None

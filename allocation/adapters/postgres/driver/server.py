"""Describes the server that holds the log: its system identifier, the database's number, and the timeline.

A copy of the database differs in one of the first two. A standby that takes over begins a new timeline.
"""

import logging

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from allocation.adapters.postgres.driver.errors import READ_ONLY, STANDBY, code_of
from allocation.service_layer.unit_of_work import StoreUnavailable

logger = logging.getLogger(__name__)

PARTS = {
    "system identifier": "(SELECT CAST(system_identifier AS text) FROM pg_control_system())",
    "database": "(SELECT CAST(oid AS text) FROM pg_database WHERE datname = current_database())",
    # pg_control_checkpoint() still has the former timeline until the first checkpoint after a promotion.
    "timeline": "left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)",
}
REFUSED = ("42", "0A", "58")
"""Codes of a server that does not offer a part: no privilege or no such function, not supported, no such file."""
IN_RECOVERY = "55000"


class ServerDescription:
    """Reads the description. Some managed databases do not offer each part."""

    def __init__(self) -> None:
        self._parts: dict[str, str] | None = None

    def read(self, connection: Connection) -> str:
        """Return the parts with slashes between them. A part is empty if the server does not offer it.

        Raise StoreUnavailable if the server is a standby.
        """
        try:
            if self._parts is None:
                self._parts = {name: part for name, part in PARTS.items() if is_offered(connection, name, part)}
            parts = ", ".join(self._parts.get(name, "''") for name in PARTS)
            return "/".join(connection.execute(text(f"SELECT {parts}")).one())
        except DBAPIError as error:
            if code_of(error.orig) == IN_RECOVERY:
                raise StoreUnavailable(STANDBY, READ_ONLY) from error
            raise


def is_offered(connection: Connection, name: str, part: str) -> bool:
    try:
        connection.execute(text(f"SELECT {part}"))
    except DBAPIError as error:
        if not (code_of(error.orig) or "").startswith(REFUSED):
            raise
        connection.rollback()  # `discard_unusable_sessions` has closed the session.
        logger.warning("PostgreSQL does not show its %s. A change of it goes unnoticed", name)
        return False
    return True


def database_in(description: str) -> str:
    """Return the parts that are the same after a failover: the system identifier and the database."""
    return description.rpartition("/")[0].replace("/", "-")


def merged(stored: str | None, found: str) -> str:
    """Return the found parts, and the stored ones instead of those that are unknown."""
    before = stored.split("/") if stored else [""] * len(PARTS)
    return "/".join(now or former for former, now in zip(before, found.split("/"), strict=True))


def is_other_server(stored: str, found: str) -> bool:
    """Return whether the system identifier or the database differs. An empty part is unknown."""
    return differ(stored.split("/")[:2], found.split("/")[:2])


def is_other_timeline(stored: str, found: str) -> bool:
    return differ(stored.split("/")[2:], found.split("/")[2:])


def differ(stored: list[str], found: list[str]) -> bool:
    return any(before and now and before != now for before, now in zip(stored, found, strict=True))

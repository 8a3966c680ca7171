"""The PostgreSQL server: its version, its size, and how many of its connections are in use."""

from dataclasses import dataclass

from sqlalchemy import Engine, text

from allocation.adapters.postgres.driver.errors import translated_errors

# Each role may read pg_stat_database. pg_stat_activity would hide sessions of other roles.
READ_SERVER = text("""
    SELECT split_part(current_setting('server_version'), ' ', 1) AS version,
           pg_database_size(current_database()) AS bytes,
           CAST((SELECT sum(numbackends) FROM pg_stat_database) AS int) AS sessions,
           CAST(current_setting('max_connections') AS int) AS most_sessions,
           pg_is_in_recovery() AS standby
""")


@dataclass(frozen=True)
class DatabaseServer:
    """`bytes` is the size of the service's database. `sessions` counts the sessions in all databases."""

    version: str
    bytes: int
    sessions: int
    most_sessions: int
    standby: bool


def read_server(engine: Engine) -> DatabaseServer:
    """Raise RetryableError and StoreUnavailable."""
    with translated_errors(), engine.connect() as connection:
        return DatabaseServer(*connection.execute(READ_SERVER).one())

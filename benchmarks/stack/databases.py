"""More databases on the PostgreSQL server of the stack, and SQL scripts in them."""

from sqlalchemy import Engine, text

from benchmarks.stack.throwaway import Stack


def create_database(stack: Stack, name: str) -> str:
    """Create an empty database. Return its URL."""
    with stack.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    return f"{stack.database_url.rpartition('/')[0]}/{name}"


def run_script(engine: Engine, script: str, **values: int) -> None:
    """Run the statements of the script in one transaction, however long it takes. `:name` stands for a value."""
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        for statement in filter(str.strip, script.split(";")):
            used = {name: value for name, value in values.items() if f":{name}" in statement}
            connection.execute(text(statement), used)


def vacuum(engine: Engine) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))

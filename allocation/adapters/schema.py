from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from allocation.adapters.errors import translated_errors


def migrate(engine: Engine) -> None:
    """Bring the schema to the newest revision. Forward only; any number of processes may do it at once."""
    with translated_errors(), engine.connect() as connection:
        config = configuration()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def is_current(engine: Engine) -> bool:
    """Whether the schema is the one that this code was written for."""
    with translated_errors(), engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    return found == ScriptDirectory.from_config(configuration()).get_current_head()


def configuration() -> Config:
    config = Config()
    config.set_main_option("script_location", "allocation.adapters:migrations")
    return config

from sqlalchemy import Engine, text


def scalar(engine: Engine, query: str, **parameters: object) -> int:
    """Return the only value that the query finds."""
    with engine.connect() as connection:
        return int(connection.execute(text(query), parameters).scalar_one())


def set_for_new_sessions(engine: Engine, setting: str, value: str) -> None:
    """Change a PostgreSQL setting for the sessions that connect to this database from now on."""
    with engine.begin() as connection:
        name = connection.execute(text("SELECT quote_ident(current_database())")).scalar_one()
        connection.execute(text(f"ALTER ROLE CURRENT_USER IN DATABASE {name} SET {setting} = '{value}'"))

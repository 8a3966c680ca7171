from sqlalchemy import Engine, text


def scalar(engine: Engine, query: str, **parameters: object) -> int:
    """Return the only value that the query finds."""
    with engine.connect() as connection:
        return int(connection.execute(text(query), parameters).scalar_one())

from sqlalchemy import Engine, create_engine


def create_postgres_engine(database_url: str, *, connections: int = 5) -> Engine:
    """Return an engine for short transactions. It opens its first connection on its first use.

    Create the engine after a fork: processes must not share connections.
    """
    _, _, address = database_url.partition("://")
    return create_engine(
        f"postgresql+psycopg2://{address}",
        isolation_level="READ COMMITTED",
        pool_size=connections,
        max_overflow=0,
        pool_timeout=5,
        connect_args={
            "connect_timeout": 5,
            "application_name": "allocation",
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 30_000,
        },
    )

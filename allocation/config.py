"""Settings from the environment."""

from pathlib import Path

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    """`DATABASE_URL` (postgresql://…) and `REDIS_URL` (redis://…) name the servers; where one is missing, `allocation
    run` starts its own, with its data in `ALLOCATION_DATA`. HTTP is served on `ALLOCATION_HOST` and `ALLOCATION_PORT`
    by `ALLOCATION_WORKERS` processes, each with `ALLOCATION_THREADS` threads and as many database connections.
    """

    database_url: str | None = None
    redis_url: str | None = None
    host: str = Field("127.0.0.1", validation_alias="ALLOCATION_HOST")
    port: int = Field(5005, validation_alias="ALLOCATION_PORT", ge=1, le=65535)
    workers: int = Field(2, validation_alias="ALLOCATION_WORKERS", ge=1)
    threads: int = Field(8, validation_alias="ALLOCATION_THREADS", ge=1)
    data: Path = Field(Path(".data"), validation_alias="ALLOCATION_DATA")

    @field_validator("database_url")
    @classmethod
    def is_postgresql(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("postgresql://", "postgres://", "postgresql+psycopg2://")):
            raise ValueError("must begin with postgresql://")
        return url

    @field_validator("redis_url")
    @classmethod
    def is_redis(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("must begin with redis://")
        return url

    def stores(self) -> tuple[str, str]:
        """The addresses of PostgreSQL and Redis, for a process that starts none of its own."""
        if self.database_url is None:
            raise BadSettings("DATABASE_URL is not set: postgresql://user@host:port/database")
        if self.redis_url is None:
            raise BadSettings("REDIS_URL is not set: redis://host:port/0")
        return self.database_url, self.redis_url


class BadSettings(Exception):
    """A variable of the environment that is missing or can't be used."""


def settings() -> Settings:
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        raise BadSettings(f"{str(first['loc'][0]).upper()}={first['input']}: {first['msg']}") from error

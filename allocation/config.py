"""Reads the settings from environment variables."""

import re
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings


def url_of(*schemes: str) -> AfterValidator:
    def check(url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in schemes:
            raise ValueError(f"must begin with {schemes[0]}://")
        _ = parts.port  # Raises ValueError if the port is invalid.
        if "redis" in schemes:
            require_redis_options(url, parts.path)
        if "smtp" in schemes and not parts.hostname:
            raise ValueError("must name a host")
        return url

    return AfterValidator(check)


def require_redis_options(url: str, path: str) -> None:
    """Raise ValueError for a database or an option that the client would ignore or fail with later."""
    from redis.connection import parse_url

    if not re.fullmatch(r"(/\d*)?", path):
        raise ValueError(f"must end with the number of a database, not {path!r}")
    parse_url(url)


DatabaseUrl = Annotated[str, url_of("postgresql", "postgres", "postgresql+psycopg2")]
RedisUrl = Annotated[str, url_of("redis", "rediss")]
SmtpUrl = Annotated[str, url_of("smtp", "smtp+starttls", "smtps")]
MOST_WORKERS, MOST_THREADS = 256, 1_000
REDIS_PREFIX = "^[a-z0-9_]{0,40}$"
ADDRESS = r"^[!-+\--:=?A-~]+@[A-Za-z0-9.-]+$"


class Settings(BaseSettings):
    """Each field comes from its own environment variable. README.md describes the variables.

    If `database_url` is None, `allocation run` starts PostgreSQL with its data in the folder `data`. The same applies
    to `redis_url` and Redis. If `smtp_url` is None, the relay logs notices instead of mailing them. `mail_window` and
    `keys_kept` are in seconds.
    """

    database_url: DatabaseUrl | None = None
    redis_url: RedisUrl | None = None
    redis_prefix: str = Field("", validation_alias="ALLOCATION_REDIS_PREFIX", pattern=REDIS_PREFIX)
    host: str = Field("127.0.0.1", validation_alias="ALLOCATION_HOST")
    port: int = Field(5005, validation_alias="ALLOCATION_PORT", ge=1, le=65535)
    workers: int = Field(2, validation_alias="ALLOCATION_WORKERS", ge=1, le=MOST_WORKERS)
    threads: int = Field(32, validation_alias="ALLOCATION_THREADS", ge=1, le=MOST_THREADS)
    commands_together: int = Field(100, validation_alias="ALLOCATION_COMMANDS_TOGETHER", ge=1)
    smtp_url: SmtpUrl | None = None
    mail_from: str = Field("allocations@example.com", validation_alias="ALLOCATION_MAIL_FROM", pattern=ADDRESS)
    mail_to: str = Field("stock@example.com", validation_alias="ALLOCATION_MAIL_TO", pattern=ADDRESS)
    mail_window: int = Field(600, validation_alias="ALLOCATION_MAIL_WINDOW", ge=0)
    keys_kept: int = Field(86_400, validation_alias="ALLOCATION_KEYS_KEPT", ge=1)
    data: Path = Field(Path(".data"), validation_alias="ALLOCATION_DATA")


class BadSettings(Exception):
    """An environment variable is missing or has an invalid value."""


def load_settings() -> Settings:
    """Read the environment. Raise BadSettings if a variable has an invalid value.

    The message contains the variable and its value. It omits the value of a URL, which may contain a password.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).upper()
        shown = name if name.endswith("_URL") else f"{name}={first['input']}"
        raise BadSettings(f"{shown}: {first['msg']}") from error

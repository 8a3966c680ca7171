"""Reads the settings from environment variables."""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings

from allocation import urls


def check_host(host: str) -> str:
    try:
        host.encode("idna")
    except UnicodeError:
        raise ValueError("must be an IP address or the name of a host") from None
    return host


def check_path(path: Path) -> Path:
    if not str(path).isprintable():  # Other programs show it, and Redis reads it from its configuration.
        raise ValueError("must consist of printable characters")
    return path


DatabaseUrl = Annotated[str, AfterValidator(urls.check_database)]
RedisUrl = Annotated[str, AfterValidator(urls.check_redis)]
SmtpUrl = Annotated[str, AfterValidator(urls.check_smtp)]
Host = Annotated[str, AfterValidator(check_host)]
PrintablePath = Annotated[Path, AfterValidator(check_path)]
Port = Annotated[int | None, Field(ge=1, le=65535)]
YEAR = 31_536_000
LOG = "ALLOCATION_LOG"
MOST_WORKERS, MOST_THREADS = 256, 1_000
REDIS_PREFIX = "^[a-z0-9_]{0,40}$"
EXAMPLES = {
    "DATABASE_URL": "postgresql://user:password@host:5432/allocation",
    "REDIS_URL": "redis://user:password@host:6379/0",
}
ADDRESS = r"^[!-+\--:=?A-~]+@[A-Za-z0-9.-]+$"


class Settings(BaseSettings):
    """Each field comes from its own environment variable. docs/reference.md describes the variables.

    `database_migration_url` has the role that owns the tables; by default, that is the role of `database_url`.

    If `database_url` is None, `allocation run` starts PostgreSQL with its data in the folder `data`. The same applies
    to `redis_url` and Redis. If `smtp_url` is None, the relay logs notices instead of mailing them. `mail_window`,
    `keys_kept`, `read_patience`, `views_stale` and `views_too_old` are in seconds. `verify_rate` is in registers per
    second. `history` is the number of events that the history of an order keeps. `log` is the form of the log. If a
    port of metrics is None, that process does not serve its metrics.
    """

    database_url: DatabaseUrl | None = None
    database_migration_url: DatabaseUrl | None = None
    redis_url: RedisUrl | None = None
    redis_prefix: str = Field("", validation_alias="ALLOCATION_REDIS_PREFIX", pattern=REDIS_PREFIX)
    host: Host = Field("127.0.0.1", validation_alias="ALLOCATION_HOST")
    access_tokens: str = Field("", validation_alias="ALLOCATION_ACCESS_TOKENS", repr=False)
    access_tokens_file: PrintablePath | None = Field(None, validation_alias="ALLOCATION_ACCESS_TOKENS_FILE")
    port: int = Field(5005, validation_alias="ALLOCATION_PORT", ge=1, le=65535)
    relay_metrics_port: Port = Field(None, validation_alias="ALLOCATION_RELAY_METRICS_PORT")
    consumer_metrics_port: Port = Field(None, validation_alias="ALLOCATION_CONSUMER_METRICS_PORT")
    workers: int = Field(2, validation_alias="ALLOCATION_WORKERS", ge=1, le=MOST_WORKERS)
    threads: int = Field(32, validation_alias="ALLOCATION_THREADS", ge=1, le=MOST_THREADS)
    commands_together: int = Field(100, validation_alias="ALLOCATION_COMMANDS_TOGETHER", ge=1, le=10_000)
    smtp_url: SmtpUrl | None = None
    mail_from: str = Field("allocations@example.com", validation_alias="ALLOCATION_MAIL_FROM", pattern=ADDRESS)
    mail_to: str = Field("stock@example.com", validation_alias="ALLOCATION_MAIL_TO", pattern=ADDRESS)
    mail_window: int = Field(600, validation_alias="ALLOCATION_MAIL_WINDOW", ge=0, le=YEAR)
    views_stale: float = Field(5.0, validation_alias="ALLOCATION_VIEWS_STALE", ge=0.5, le=3_600)
    views_too_old: float = Field(300.0, validation_alias="ALLOCATION_VIEWS_TOO_OLD", ge=1, le=YEAR)
    read_patience: float = Field(1.0, validation_alias="ALLOCATION_READ_PATIENCE", ge=0, le=60)
    suspect_is_ready: bool = Field(True, validation_alias="ALLOCATION_SUSPECT_IS_READY")
    synchronous_replication: bool = Field(False, validation_alias="ALLOCATION_SYNCHRONOUS_REPLICATION")
    keys_kept: int = Field(86_400, validation_alias="ALLOCATION_KEYS_KEPT", ge=1, le=10 * YEAR)
    history: int = Field(100, validation_alias="ALLOCATION_HISTORY", ge=0, le=100_000)
    verify_rate: int = Field(50, validation_alias="ALLOCATION_VERIFY_RATE", ge=0, le=10_000)
    log: Literal["text", "json"] = Field("text", validation_alias=LOG)
    access_log: bool = Field(False, validation_alias="ALLOCATION_ACCESS_LOG")
    data: PrintablePath = Field(Path(".data"), validation_alias="ALLOCATION_DATA")


def log_form() -> str:
    """Return the form of the log, unchecked. A process needs it before it reads its other settings."""
    return os.environ.get(LOG, "text")


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
        shown = name if name.endswith(("_URL", "_TOKENS")) else f"{name}={first['input']}"
        reason = first["msg"].removeprefix("Value error, ")
        raise BadSettings(f"{shown}: {reason}. Correct the variable, or unset it") from error

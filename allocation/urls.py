"""Validates the URLs of stores and mail servers. An error never shows a part of a URL, which may be a password."""

import re
from urllib.parse import SplitResult, unquote, urlsplit

REDIS_OPTIONS = ("ssl_ca_certs", "ssl_cert_reqs", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname")
ENCODE = "In a password, write special characters as %XX, for example / as %2F"


def split(url: str, schemes: tuple[str, ...]) -> SplitResult:
    """Return the parts of a URL. Raise ValueError if its scheme, host or port is invalid."""
    if not url.isprintable():
        raise ValueError("must consist of printable characters")
    if url.partition("://")[0] not in schemes:
        raise ValueError(f"must begin with {schemes[0]}://")
    try:
        parts = urlsplit(url)
        _ = parts.port, (parts.hostname or "").encode("idna")
    except ValueError:
        raise ValueError(f"has an invalid host or port. {ENCODE}") from None
    return parts


def check_smtp(url: str) -> str:
    if not split(url, ("smtp", "smtp+starttls", "smtps")).hostname:
        raise ValueError("must name a host")
    return url


def check_redis(url: str) -> str:
    """Raise ValueError for a database or an option that the client would ignore or refuse."""
    from redis import Redis
    from redis.exceptions import RedisError

    parts = split(url, ("redis", "rediss"))
    if not parts.hostname:
        raise ValueError("must name a host")
    if not re.fullmatch(r"(/\d{0,5})?", parts.path):
        raise ValueError("must end with the number of a database, for example /0")
    if any(option.partition("=")[0] not in REDIS_OPTIONS for option in parts.query.split("&") if option):
        raise ValueError(f"may have only the options {', '.join(REDIS_OPTIONS)}")
    try:
        Redis.from_url(url).connection_pool.make_connection()  # It opens no connection yet.
    except (RedisError, TypeError, ValueError):
        raise ValueError("has an invalid value of an option") from None
    return url


def check_database(url: str) -> str:
    """Raise ValueError for a URL that SQLAlchemy or libpq can't parse."""
    import psycopg2
    from psycopg2.extensions import parse_dsn
    from sqlalchemy.dialects.postgresql.psycopg2 import PGDialect_psycopg2
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    split(url, ("postgresql", "postgres", "postgresql+psycopg2"))
    plain = f"postgresql://{url.partition('://')[2]}"
    try:
        parse_dsn(plain)
        PGDialect_psycopg2().create_connect_args(make_url(plain))  # type: ignore[no-untyped-call]  # Its stub is bare.
    except (psycopg2.Error, ArgumentError, ValueError):
        raise ValueError(f"is no valid URL of a database. {ENCODE}") from None
    return url


def role_of(url: str) -> str:
    """Return the role in the URL of a database. It is empty if the URL names none."""
    return unquote(urlsplit(url).username or "")

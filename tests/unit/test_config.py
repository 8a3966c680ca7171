"""Each bad setting gives one clear error that names the variable and shows no password."""

import pytest

from allocation.config import BadSettings, load_settings

HOST_OR_PORT = "has an invalid host or port. In a password, write special characters as %XX"
NO_DATABASE = "is no valid URL of a database. In a password"
REDIS_OPTIONS = "may have only the options ssl_ca_certs, "

BAD = [
    ("DATABASE_URL", "", "must begin with postgresql://"),
    ("DATABASE_URL", "postgresql://u:secret/x@h/db", HOST_OR_PORT),
    ("DATABASE_URL", "postgresql://u:secret#x@h/db", HOST_OR_PORT),
    ("DATABASE_URL", "postgresql://u:secret?x@h/db", HOST_OR_PORT),
    ("DATABASE_URL", "postgresql://u:secret@h\u2100/db", HOST_OR_PORT),
    ("DATABASE_URL", "postgresql://u:secret@h1:1,h2:2/db", HOST_OR_PORT),
    ("DATABASE_URL", "postgresql://u:secret%zz@h/db", NO_DATABASE),
    ("DATABASE_URL", "postgresql://u:secret@h/d%00b", NO_DATABASE),
    ("DATABASE_URL", "postgresql://u:secret@h/d%ffb", NO_DATABASE),
    ("DATABASE_URL", "postgresql://u:secret@h/db?connection_factory=x", NO_DATABASE),
    ("DATABASE_URL", "postgresql://u:secret@h/db?host=a&host=b&port=1&port=2&port=3", NO_DATABASE),
    ("REDIS_URL", "http://u:secret@h", "must begin with redis://"),
    ("REDIS_URL", "rediss:/:secret@h/0", "must begin with redis://"),
    ("REDIS_URL", "redis://:secret@/0", "must name a host"),
    ("REDIS_URL", "redis://:secret#x@h/0", HOST_OR_PORT),
    ("REDIS_URL", "redis://:secret@h:port/0", HOST_OR_PORT),
    ("REDIS_URL", "redis://:secret@a..b/0", HOST_OR_PORT),
    ("REDIS_URL", "redis://:secret@h/abc", "must end with the number of a database, for example /0"),
    ("REDIS_URL", "redis://:secret@h/0?socket_timeout=abc", REDIS_OPTIONS),
    ("REDIS_URL", "redis://:secret@h/0?foo=bar", REDIS_OPTIONS),
    ("REDIS_URL", "rediss://:secret@h/0?ssl_cert_reqs=x", "has an invalid value of an option"),
    ("REDIS_URL", "redis://:secret@h/0\x1b", "must consist of printable characters"),
    ("SMTP_URL", "smtp://u:secret@", "must name a host"),
    ("SMTP_URL", "smtp://u:secret/x@h", HOST_OR_PORT),
    ("ALLOCATION_HOST", "a..b", "must be an IP address or the name of a host"),
    ("ALLOCATION_PORT", "0", "greater than or equal to 1"),
    ("ALLOCATION_WORKERS", "257", "less than or equal to 256"),
    ("ALLOCATION_THREADS", "1001", "less than or equal to 1000"),
    ("ALLOCATION_COMMANDS_TOGETHER", "99999999999999999999", "less than or equal to 10000"),
    ("ALLOCATION_MAIL_WINDOW", "100000000000", "less than or equal to 31536000"),
    ("ALLOCATION_KEYS_KEPT", "9999999999999", "less than or equal to 315360000"),
    ("ALLOCATION_VIEWS_STALE", "0.4", "greater than or equal to 0.5"),
    ("ALLOCATION_VIEWS_STALE", "3601", "less than or equal to 3600"),
    ("ALLOCATION_VERIFY_RATE", "-1", "greater than or equal to 0"),
    ("ALLOCATION_VERIFY_RATE", "10001", "less than or equal to 10000"),
    ("ALLOCATION_REDIS_PREFIX", "Shop", "should match pattern"),
    ("ALLOCATION_LOG", "xml", "should be 'text' or 'json'"),
    ("ALLOCATION_ACCESS_LOG", "perhaps", "should be a valid boolean"),
    ("ALLOCATION_DATA", "/tmp/\x1b[31m", "must consist of printable characters"),
    ("ALLOCATION_DATA", "/tmp/\udcff", "must consist of printable characters"),
]
GOOD = [
    ("DATABASE_URL", "postgresql+psycopg2://u:p%2Fq@[::1]:5432/db?sslmode=verify-full&sslrootcert=/ca.pem"),
    ("DATABASE_URL", "postgresql:///db?host=/run/postgresql"),
    ("DATABASE_URL", "postgresql://u@/db?host=h1:5432&host=h2:5432&target_session_attrs=read-write"),
    ("REDIS_URL", "redis://default:p%2Fq@[::1]:6379/1"),
    ("REDIS_URL", "rediss://h?ssl_ca_certs=/ca.pem&ssl_cert_reqs=required"),
    ("SMTP_URL", "smtp+starttls://u:p@mail.example.com:587"),
    ("ALLOCATION_HOST", "::1"),
    ("ALLOCATION_VERIFY_RATE", "0"),
    ("ALLOCATION_REDIS_PREFIX", "shop_2"),
]


@pytest.mark.parametrize(("name", "value", "reason"), BAD, ids=[f"{name}={value!a}" for name, value, _ in BAD])
def test_a_bad_setting_names_the_variable(name: str, value: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(BadSettings) as error:
        load_settings()
    message = str(error.value)
    assert message.startswith(f"{name}: " if name.endswith("_URL") else f"{name}={value}: ")
    assert reason in message
    assert "secret" not in message


@pytest.mark.parametrize(("name", "value"), GOOD, ids=[f"{name}={value}" for name, value in GOOD])
def test_a_good_setting_is_accepted(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    load_settings()

"""`allocation run` with settings that it can't use. It reports the reason in one line and starts nothing."""

import socket
from pathlib import Path

import pytest

from allocation.local.ports import free_port
from tests.support.e2e.service_run import error_of


def test_run_refuses_a_port_in_use(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        error = error_of("run", {"ALLOCATION_DATA": str(tmp_path / "data"), "ALLOCATION_PORT": str(port)})
    assert f"Port {port} is in use" in error
    assert not (tmp_path / "data" / "postgres").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("DATABASE_URL", "postgresql://postgres@127.0.0.1:1/nowhere", "Can't connect to DATABASE_URL"),
        ("DATABASE_URL", "mysql://u:secret@somewhere", "DATABASE_URL: must begin with postgresql://"),
        ("DATABASE_URL", "postgresql://u:secret@host:port/x", "DATABASE_URL: has an invalid host or port"),
        ("ALLOCATION_REDIS_PREFIX", "shop:2", "ALLOCATION_REDIS_PREFIX=shop:2: String should match pattern"),
        ("REDIS_URL", "redis://127.0.0.1:1/0", "Can't connect to REDIS_URL"),
        ("REDIS_URL", "http://u:secret@somewhere", "REDIS_URL: must begin with redis://"),
        ("SMTP_URL", "http://u:secret@somewhere", "SMTP_URL: must begin with smtp://"),
        ("SMTP_URL", "smtp://u:secret@", "SMTP_URL: must name a host"),
        ("ALLOCATION_MAIL_TO", "stock@example.com\nBcc: thief@example.com", "ALLOCATION_MAIL_TO=stock@example.com"),
        ("ALLOCATION_PORT", "many", "ALLOCATION_PORT=many"),
        ("ALLOCATION_PORT", "70000", "ALLOCATION_PORT=70000"),
        ("ALLOCATION_HOST", "no.such.host.invalid", "Can't listen on no.such.host.invalid:"),
        ("ALLOCATION_DATA", "/dev/null/data", "Can't use ALLOCATION_DATA=/dev/null/data"),
    ],
)
def test_run_names_the_bad_setting_and_hides_passwords(tmp_path: Path, name: str, value: str, reason: str) -> None:
    environment = {"ALLOCATION_DATA": str(tmp_path / "data"), "ALLOCATION_PORT": str(free_port()), name: value}
    error = error_of("run", environment)
    assert reason in error
    assert "secret" not in error

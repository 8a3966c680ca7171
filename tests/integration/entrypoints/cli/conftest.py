import pytest

from tests.support.entrypoints.in_process import InProcess


@pytest.fixture
def cli(database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> InProcess:
    """Return the program, which runs in this process and uses the stores of this test."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    return InProcess()

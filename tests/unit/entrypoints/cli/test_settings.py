from pathlib import Path

import pytest

from allocation.config import BadSettings
from allocation.entrypoints.cli.settings import settings_with
from allocation.local.running import env_file, locked

DATABASE_URL, REDIS_URL = "postgresql://p@127.0.0.1:1/d", "redis://127.0.0.1:1/0"


@pytest.fixture(autouse=True)
def no_urls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.setenv("ALLOCATION_DATA", str(tmp_path))


def test_given_urls_need_no_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The folder may be unusable, for example that of another user."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("ALLOCATION_DATA", str(tmp_path / "file"))
    monkeypatch.setenv("DATABASE_URL", DATABASE_URL)
    monkeypatch.setenv("REDIS_URL", REDIS_URL)
    settings = settings_with("database_url", "redis_url")
    assert (settings.database_url, settings.redis_url) == (DATABASE_URL, REDIS_URL)


def test_a_missing_url_comes_from_the_running_service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REDIS_URL", REDIS_URL)
    with locked(tmp_path), env_file(tmp_path, {"DATABASE_URL": DATABASE_URL, "REDIS_URL": "redis://elsewhere/0"}):
        settings = settings_with("database_url", "redis_url")
    assert (settings.database_url, settings.redis_url) == (DATABASE_URL, REDIS_URL)


def test_the_prefix_comes_with_the_url_of_redis(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The running service uses its Redis under its own prefix. Another Redis has nothing to do with that prefix."""
    found = {"DATABASE_URL": DATABASE_URL, "REDIS_URL": "redis://elsewhere/0", "ALLOCATION_REDIS_PREFIX": "shop"}
    with locked(tmp_path), env_file(tmp_path, found):
        assert settings_with("redis_url").redis_prefix == "shop"
        monkeypatch.setenv("REDIS_URL", REDIS_URL)
        assert settings_with("database_url", "redis_url").redis_prefix == ""


@pytest.mark.parametrize("name", ["database_url", "redis_url"])
def test_a_missing_url_is_named_when_no_service_runs(name: str) -> None:
    with pytest.raises(BadSettings, match=f"{name.upper()} is not set"):
        settings_with(name)

"""The users of deploy/redis-users.acl."""

import subprocess
from functools import partial
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import NoPermissionError, RedisError
from sqlalchemy import Engine

from allocation.adapters.postgres.checks.state import StateReader
from allocation.adapters.postgres.log.event_log import EventLog
from allocation.event_handlers import PROJECTION
from allocation.local.ports import free_port
from allocation.local.redis import find_binary
from readmodel.projector.verification.verifier import Verifier
from readmodel.store.store import Store
from tests.support.adapters.redis_users import FILE, QUERIES, url_for
from tests.support.eventually import eventually
from tests.support.patience import PATIENCE

PASSWORDS = {"allocation": "replace-this-password", "queries": "replace-this-password-too"}


@pytest.mark.slow
def test_server_reads_the_file_of_users(tmp_path: Path) -> None:
    port = free_port()
    options = {"port": port, "bind": "127.0.0.1", "dir": tmp_path, "aclfile": FILE, "save": ""}
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    with subprocess.Popen([find_binary(), *words], stdout=subprocess.DEVNULL) as process:
        try:
            for user, password in PASSWORDS.items():
                eventually(partial(pings, port, user, password))
            assert not pings(port, "default", "")
        finally:
            process.terminate()
            process.wait(PATIENCE)


def pings(port: int, user: str, password: str) -> bool:
    with Redis(port=port, username=user, password=password) as redis:
        try:
            return bool(redis.ping())
        except RedisError:
            return False


def test_missing_privilege_is_no_difference(model: Store, log: EventLog, engine: Engine, redis_url: str) -> None:
    """The user of queries may not read everything that a verification reads."""
    with Redis.from_url(url_for(QUERIES, redis_url), decode_responses=True) as redis:
        verifier = Verifier(Store(redis), log, PROJECTION, StateReader(engine))
        with pytest.raises(NoPermissionError):
            verifier.organisation()

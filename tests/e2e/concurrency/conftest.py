"""Two web servers over the same stores."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from sqlalchemy import Engine

from tests.support.e2e.database import set_for_new_sessions
from tests.support.patience import PATIENCE
from tests.support.services import web


@pytest.fixture
def ports(engine: Engine, environment: dict[str, str], relay: None) -> Iterator[list[int]]:
    """Yield the ports of two web servers, each with a process and threads of its own.

    They wait longer for locks than in production. So a slow machine causes no 503.
    """
    set_for_new_sessions(engine, "lock_timeout", f"{PATIENCE}s")
    with ExitStack() as stack:
        yield [stack.enter_context(web(environment)) for _ in range(2)]

"""Two web servers over the same stores."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.support.patience import PATIENCE
from tests.support.services import web_with_time_outs


@pytest.fixture
def ports(environment: dict[str, str], relay: None) -> Iterator[list[int]]:
    """Yield the ports of two web servers, each with a process and threads of its own.

    They wait longer for locks than in production. So a slow machine causes no 503.
    """
    with ExitStack() as stack:
        yield [stack.enter_context(web_with_time_outs(environment, lock_timeout=f"{PATIENCE}s")) for _ in range(2)]

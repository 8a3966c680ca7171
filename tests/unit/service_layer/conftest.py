from collections.abc import Iterator

import pytest

from allocation.service_layer.concurrency import group_commit
from tests.support.patience import PATIENCE
from tests.support.service_layer.commits import Commits


@pytest.fixture
def commits(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Commits]:
    """A group commit of up to 100 requests, or of the number that the test's parameter says.

    However slow the machine is, no request leaves its lane, unless the test itself sets LONGEST_QUEUEING.
    """
    monkeypatch.setattr(group_commit, "LONGEST_QUEUEING", PATIENCE)
    commits = Commits(most=getattr(request, "param", 100))
    yield commits
    commits.close()

"""The last release, installed beside this code."""

import pytest

from tests.support.e2e.last_release import Release, build, commit_of_release


@pytest.fixture(scope="session")
def last_release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    commit = commit_of_release()
    if commit is None:
        pytest.skip("This folder has no history, so there is no last release to run")
    return Release(build(commit, tmp_path_factory.mktemp("last-release")))

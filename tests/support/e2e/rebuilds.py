import subprocess
from collections.abc import Mapping

from tests.support.patience import PATIENCE
from tests.support.processes import allocation


def rebuild_views(environment: Mapping[str, str]) -> None:
    """Run `allocation rebuild` to its end, which must be a success."""
    assert start_rebuild(environment).wait(PATIENCE) == 0


def start_rebuild(environment: Mapping[str, str]) -> "subprocess.Popen[str]":
    return allocation("rebuild", environment, stderr=subprocess.DEVNULL)

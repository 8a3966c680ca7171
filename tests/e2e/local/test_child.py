"""A child process of `allocation run`."""

import signal

from allocation.local.child import Child
from tests.support.patience import PATIENCE


def test_a_child_of_a_background_job_obeys_its_stop_signal() -> None:
    """A shell starts a background job with SIGINT ignored. The child must not inherit that."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        child = Child("sleep", ["sleep", "600"], stop_signal=signal.SIGINT)
        child.start()
    finally:
        signal.signal(signal.SIGINT, before)
    child.stop(PATIENCE)
    assert child.exit_code() == -signal.SIGINT

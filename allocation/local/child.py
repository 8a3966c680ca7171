"""A child process that ends in order and does not outlive its parent."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1


@dataclass
class Child:
    """`stop_signal` asks the process to end. Its output goes to `log`, or to the output of the parent.

    It has a session of its own. So a Ctrl-C in the terminal only reaches the parent, which ends its children in order.
    """

    name: str
    command: Sequence[str]
    env: Mapping[str, str] | None = None
    log: Path | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    options: Mapping[str, Any] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0

    def start(self) -> None:
        output = self.log.open("ab") if self.log else None
        try:
            self.process = subprocess.Popen(
                self.command,
                env=None if self.env is None else {**os.environ, **self.env},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=self._end_with_parent if sys.platform == "linux" else None,
                **self.options,
            )
        finally:
            if output:
                output.close()
        self.started_at = time.monotonic()

    def exit_code(self) -> int | None:
        """Return the exit code, or None while the process runs."""
        return self.process.poll() if self.process else 0

    def stop(self, seconds: float) -> None:
        self.ask_to_stop()
        self.wait_or_kill(seconds)

    def ask_to_stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(self.stop_signal)

    def wait_or_kill(self, seconds: float) -> None:
        """Wait for its end. Kill it if it has not ended after so many seconds."""
        if self.process is None:
            return
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.sweep()

    def sweep(self) -> None:
        """Kill the processes that an ended child has left in its session."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def _end_with_parent(self) -> None:
        """Have the kernel ask this process to end if the parent is killed."""
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, self.stop_signal)

"""A child process that its parent can stop. On Linux, the child also stops when its parent dies."""

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
    """A process that `start` starts and `stop` stops.

    - `env`: environment variables in addition to those of the parent
    - `log`: the file to which the child appends its output; if None, the child shares the output of its parent
    - `stop_signal`: the signal that requests the end of the process
    - `options`: arguments of subprocess.Popen

    The child has its own session. So Ctrl-C in the terminal reaches only the parent, and the parent can stop its
    children in the right order.
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
        """Start the process. The child must not be running. Raise OSError if the program can't start."""
        output = self.log.open("ab") if self.log else None
        try:
            self.process = subprocess.Popen(
                self.command,
                env=None if self.env is None else {**os.environ, **self.env},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=self._prepare,
                **self.options,
            )
        finally:
            if output:
                output.close()
        self.started_at = time.monotonic()

    def exit_code(self) -> int | None:
        """Return the exit code, None while the process runs, or 0 before the start."""
        return self.process.poll() if self.process else 0

    def stop(self, seconds: float) -> None:
        """Request the end of the process. Kill it if it still runs after `seconds`."""
        self.request_stop()
        self.wait_or_kill(seconds)

    def request_stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(self.stop_signal)

    def wait_or_kill(self, seconds: float) -> None:
        """Wait up to `seconds` for the end of the process, then kill it. Also kill the rest of its process group."""
        if self.process is None:
            return
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.sweep()

    def sweep(self) -> None:
        """Kill every process that remains in the child's process group, and the child if it still runs."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def _prepare(self) -> None:
        """Let `stop_signal` end the new process. On Linux, make the kernel send that signal when the parent dies.

        A shell starts a background job with SIGINT ignored, and its children inherit that. So PostgreSQL would miss a
        SIGINT that arrives before it has installed its handlers.
        """
        signal.signal(self.stop_signal, signal.SIG_DFL)
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, self.stop_signal)

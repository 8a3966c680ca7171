"""The account that PostgreSQL runs under, since it refuses to run as root."""

import os
import pwd
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Account:
    """How to run a program under an account that PostgreSQL accepts."""

    prefix: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    uid: int | None = None

    def run(self, *command: str | Path) -> None:
        """Run a program to its end. A Ctrl-C does not reach it. Raises CalledProcessError, OSError."""
        subprocess.run(
            [*self.prefix, *command],
            check=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            start_new_session=True,
            **self.options,
        )

    def take_ownership(self, path: Path) -> None:
        if self.uid is not None:
            os.chown(path, self.uid, -1)


def find_account() -> Account:
    """Return the present account. For root, return root in a user namespace with another uid, or else nobody."""
    if os.geteuid() != 0:
        return Account()
    in_a_namespace = Account(prefix=("unshare", "--user", "--map-user=65534", "--map-group=65534"))
    try:
        in_a_namespace.run("true")
    except (OSError, subprocess.CalledProcessError):
        return as_nobody()
    return in_a_namespace


def as_nobody() -> Account:
    nobody = pwd.getpwnam("nobody")
    options = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": [], "cwd": "/"}
    return Account(options=options, uid=nobody.pw_uid)

"""Chooses the account that runs PostgreSQL. PostgreSQL refuses to run as root."""

import os
import pwd
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Account:
    """An account that PostgreSQL accepts.

    To run a program under it, put `prefix` before the command, and pass `options` to subprocess. If `uid` is set, the
    data of PostgreSQL must belong to that user.
    """

    prefix: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    uid: int | None = None

    def run(self, *command: str | Path) -> None:
        """Run the program and wait for its end. Ctrl-C does not reach the program.

        Raise CalledProcessError if the program fails, and OSError if it can't start.
        """
        subprocess.run(
            [*self.prefix, *command],
            check=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            start_new_session=True,
            **self.options,
        )

    def become_owner_of(self, path: Path) -> None:
        """Make the account the owner of the path. If `uid` is None, the owner stays the same."""
        if self.uid is not None:
            os.chown(path, self.uid, -1)


def find_account() -> Account:
    """Return the account of this process if it is not root.

    For root, return root in a user namespace with another uid. If the kernel allows no such namespace, return nobody.
    """
    if os.geteuid() != 0:
        return Account()
    in_namespace = Account(prefix=("unshare", "--user", "--map-user=65534", "--map-group=65534"))
    try:
        in_namespace.run("true")
    except (OSError, subprocess.CalledProcessError):
        return as_nobody()
    return in_namespace


def as_nobody() -> Account:
    """Return the account nobody. Raise KeyError if the system has no such account."""
    nobody = pwd.getpwnam("nobody")
    options = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": [], "cwd": "/"}
    return Account(options=options, uid=nobody.pw_uid)

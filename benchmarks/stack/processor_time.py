"""The processor time of the servers and of the service's processes."""

import os
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

TICKS = os.sysconf("SC_CLK_TCK")


class Process(NamedTuple):
    parent: int
    seconds: float


def seconds_of_children() -> float:
    """Return the processor time that all living descendants of this process, and their ended children, have used."""
    read_all = {int(folder.name): read(folder) for folder in Path("/proc").glob("[0-9]*")}
    processes = {pid: process for pid, process in read_all.items() if process is not None}
    children = defaultdict[int, list[int]](list)
    for pid, process in processes.items():
        children[process.parent].append(pid)
    total, found = 0.0, [*children[os.getpid()]]
    while found:
        pid = found.pop()
        total += processes[pid].seconds
        found += children[pid]
    return total


def read(folder: Path) -> Process | None:
    """Return the process of a folder in /proc, or None if it has ended."""
    try:
        fields = (folder / "stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return None
    # The fields after the name: its state, its parent, and from the twelfth on the times, also those of its children.
    return Process(int(fields[1]), sum(map(int, fields[11:15])) / TICKS)

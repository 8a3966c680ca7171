"""What the situations of the operations guide have in common: stores, a shell, and when which block runs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from tests.support.documents.shell import Shell


class Stage(NamedTuple):
    """The stores and the folder of one test.

    `environment` has the variables of a service on this test's own stores. `shared` has those of a service that works,
    and that other tests share. The URLs `database_url` and `redis_url` are those of administrators of the own stores.
    """

    environment: dict[str, str]
    database_url: str
    redis_url: str
    shared: dict[str, str]
    shared_redis_url: str
    folder: Path


@dataclass
class Walk:
    """A way through the blocks of a section.

    `codes` has the exit codes of the first blocks; the others end with 0. `before` has what happens before a block. If
    there is `trouble`, `allocation status` reports it as the section says.
    """

    shell: Shell
    codes: tuple[int, ...] = ()
    trouble: bool = False
    before: Mapping[int, Callable[[], object]] = field(default_factory=dict)

    def code(self, number: int) -> int:
        return self.codes[number] if number < len(self.codes) else 0

"""The output of a command: JSON for machines, and progress for a person who waits."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Never

import click

if TYPE_CHECKING:
    from tqdm import tqdm


def print_json(value: object) -> None:
    click.echo(line_of_json(value))


def line_of_json(value: object) -> str:
    """Return JSON in one line of ASCII.

    The client decodes bytes that are not UTF-8 as surrogates, which orjson refuses.
    """
    return json.dumps(value)


class Progress:
    """Counts what a command has done. If standard error is a terminal, it shows the count there, and else nowhere."""

    def __init__(self, bar: "tqdm[Never]") -> None:
        self._bar = bar
        self.count = 0

    def add(self, number: int = 1) -> None:
        self.count += number
        self._bar.update(number)

    def reach(self, count: int, total: int) -> None:
        self._bar.total = total
        self.add(count - self.count)

    def echo(self, line: str, *, err: bool = False) -> None:
        """Print a line above the bar."""
        with self._bar.external_write_mode():
            click.echo(line, err=err)


@contextmanager
def progress(unit: str, total: Callable[[], int] | None = None) -> Iterator[Progress]:
    """Show progress in this unit, a plural, until the end of the context. Call `total` only if a terminal shows it."""
    from tqdm import tqdm

    is_shown = sys.stderr is not None and sys.stderr.isatty()
    end = total() if is_shown and total else None
    with tqdm(total=end, unit=f" {unit}", unit_scale=True, leave=False, disable=not is_shown) as bar:
        yield Progress(bar)

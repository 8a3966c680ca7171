"""Walks through everything that the views follow from or hold, in small pages, and again and again."""

from collections.abc import Callable
from itertools import islice

from allocation.adapters.postgres.checks.state import Name, StateReader
from readmodel.projector.verification.differences import Difference
from readmodel.projector.verification.verifier import Verifier

KINDS = ("product", "batch", "line")
CORRECTIONS = 5
"""Comparisons of a page that has differences. For example, the second one sets the fields of a key of another type."""

Correct = Callable[[Difference], None]


class Walk:
    """Verifies the rows of each kind, and then the keys of the live generation: first one page, then the next.

    If `step` raises an error, the next call repeats the page. `rounds` is the number of completed rounds.
    """

    def __init__(self, verifier: Verifier, state: StateReader, page: int) -> None:
        self.rounds = 0
        self._verifier = verifier
        self._state = state
        self._page = page
        self._kinds = list(KINDS)
        self._after: Name = ()
        self._cursor: int | None = None
        self._places: dict[str, int] = {}

    def step(self, correct: Correct) -> int:
        """Verify the next page, and pass each difference to `correct`. Return the number of compared registers.

        A row counts as one register, although a batch and a product share some of their registers.
        """
        return self._verify_rows(self._kinds[0], correct) if self._kinds else self._verify_keys(correct)

    def _verify_rows(self, kind: str, correct: Correct) -> int:
        names = next(self._state.pages(kind, size=self._page, after=self._after), [])
        compared = 0
        while names and compared < CORRECTIONS * len(names):
            compared += len(names)
            differences = list(self._verifier.rows(kind, [names]))
            for difference in differences:
                correct(difference)
            if not differences:
                break
        if len(names) == self._page:
            self._after = names[-1]
        else:
            self._after = ()
            self._kinds.remove(kind)
        return compared

    def _verify_keys(self, correct: Correct) -> int:
        if self._cursor != 0 and len(self._places) < self._page:
            self._cursor, keys = self._verifier.scan(self._cursor or 0)
            self._places |= dict.fromkeys(keys, 0)
        page = dict(islice(self._places.items(), self._page))
        differences, more, registers = self._verifier.strangers_in(page, self._page)
        for difference in differences:
            correct(difference)
        self._places = {key: cursor for key, cursor in self._places.items() if key not in page} | more
        if self._cursor == 0 and not self._places:
            self._begin_again()
        return registers

    def _begin_again(self) -> None:
        self.rounds += 1
        self._kinds = list(KINDS)
        self._cursor = None

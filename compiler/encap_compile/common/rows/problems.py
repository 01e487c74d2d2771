"""Bounded findings: a file with 100 000 wrong lines is explained fifty times."""

from __future__ import annotations

from collections.abc import Callable

from ..diagnostics import Findings, Place
from ..values import ValueProblem

MOST_ERRORS = 50  # of one file; the rest is counted


class Problems:
    """Findings of one sheet, bounded. `where(row, column)` is asked only for what is explained: a place costs a look at
    its line."""

    def __init__(self, findings: Findings, where: Callable[[int, int], Place]) -> None:
        self.findings, self.where, self.count = findings, where, 0
        self._beyond = (-1, -1)  # where the first stands that is only counted
        self._uncounted = False

    def add(self, problem: ValueProblem, row: int, column: int, first: int | None = None) -> None:
        """`first` is the row of which this one repeats something, in the same column."""
        self.count += 1
        if self.full:
            if self.count == MOST_ERRORS + 1:
                self._beyond = row, column
            return
        related = () if first is None else ((self.where(first, column), "the first"),)
        self.findings.error(problem.code, problem.message, self.where(row, column), problem.help, related=related)

    def stop(self) -> None:
        """There may be more, and to look for them would take long."""
        self._uncounted = True

    @property
    def full(self) -> bool:
        return self.count > MOST_ERRORS

    def finish(self) -> None:
        if self.full:
            words = f"and {'' if self._uncounted else f'{self.count - MOST_ERRORS} '}more errors in these rows"
            self.findings.error("E650", words, self.where(*self._beyond), "fix the first ones")

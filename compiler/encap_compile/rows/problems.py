"""Bounded findings: a file with 100 000 wrong lines is explained fifty times."""

from __future__ import annotations

from ..diagnostics import Findings, Place
from ..values import ValueProblem

MOST_ERRORS = 50  # of one file; the rest is counted


class Problems:
    """Findings of one sheet, bounded. `add` says whether it is worth explaining more."""

    def __init__(self, findings: Findings, place: Place) -> None:
        self.findings, self.last_place, self.count = findings, place, 0

    def add(self, problem: ValueProblem, place: Place, related: tuple[tuple[Place, str], ...] = ()) -> None:
        self.count += 1
        if self.count <= MOST_ERRORS + 1:
            self.last_place = place
        if self.count <= MOST_ERRORS:
            self.findings.error(problem.code, problem.message, place, problem.help, related=related)

    @property
    def full(self) -> bool:
        return self.count >= MOST_ERRORS

    def finish(self) -> None:
        if self.count > MOST_ERRORS:
            self.findings.error(
                "E650",
                f"and {self.count - MOST_ERRORS} more errors in these rows",
                self.last_place,
                "mend the first ones",
            )

"""Rows that would go: a feed that delivers an empty or a truncated file must not take a site down.

`apply` refuses to empty a table or a prefix set, and to remove more than a share of its entries, unless it was told to.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import NamedTuple

from ...common.diagnostics import Diagnostic
from ...common.record import Record

ALL = sys.maxsize  # as many as there are


class Limits(Record):
    """More than `percent` of the entries and more than `rows` of them are too many to remove at once."""

    percent: int = 20
    rows: int = 10

    def refuse(self, before: int, removed: int, left: int) -> bool:
        """Whether to refuse that of `before` entries so many are removed, and `left` are there then, old and new."""
        if before and not left:
            return True
        return removed > self.rows and removed * 100 > self.percent * before


DEFAULT_LIMITS = Limits()


class Removal(NamedTuple):
    """Of `before` entries of a table or prefix set, so many go; `left` is the number then, of those that `file` has."""

    what: str  # table sites, set offices
    file: str
    before: int
    removed: int
    left: int


def refused(removals: Iterable[Removal], limits: Limits, allowed: int) -> list[Diagnostic]:
    """B311 for each that goes beyond the limits and beyond `allowed`, which is what --allow-removals said."""
    found = []
    for what, file, before, removed, left in removals:
        if removed <= allowed or not limits.refuse(before, removed, left):
            continue
        why = f"more than {limits.percent} % and {limits.rows}" if left else "none would be left"
        words = f"{what}: {removed} of {before} entries would be removed ({why}), by {file}"
        fix = f"look at the file; if it is right: --allow-removals {removed}, or `limits` in the host file"
        found.append(Diagnostic("B311", words, help=fix))
    return found

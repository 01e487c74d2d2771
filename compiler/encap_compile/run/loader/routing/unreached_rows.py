"""Rows that no packet can take, because no rule sends their destinations to the table (H129)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from .intervals import BITS
from .reach import VERSIONS, Target, family_of, named
from .report import RouteReport, listed

MOST_ROWS = 20_000  # as many as overlaps of bundles are looked for in


def check_unreached_rows(target: Target, report: RouteReport) -> None:
    """A note, as a row may be there for what it receives alone."""
    rows = target.rows
    if not target.by_destination or rows is None or rows.count > MOST_ROWS:
        return
    reached = {version: target.intervals(version) for version in VERSIONS}
    ends = {version: [last for _, last in intervals] for version, intervals in reached.items()}
    column: Sequence[bytes] = rows.typed.key["destination"]  # type: ignore[assignment]
    lengths = rows.typed.lengths.get("destination")
    unreached = []
    for row, raw in enumerate(column):
        version, first = family_of(raw)
        length = lengths[row] if lengths is not None else BITS[version]
        last = first | ((1 << BITS[version] - length) - 1)
        place = bisect_left(ends[version], first)
        if place == len(ends[version]) or reached[version][place][0] > last:
            unreached.append(rows.describe(row))
    if unreached:
        words = f"rows of {rows.table} outside the match of {named(target.rules)}, which no packet finds: "
        fix = "packets to them are left to the other rules and the default; add their destinations to the match"
        report.note("H129", words + listed(unreached), fix)

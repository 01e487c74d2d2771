"""Rows by their destinations: in which interval of the routing table each lies, a million of them in a second.

Rows are not looked at one by one: whole columns go through functions that loop in C.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import compress, repeat
from operator import ne, or_
from typing import TYPE_CHECKING

from ....common.values import MAPPED
from .intervals import BITS, Interval, address
from .reach import Target
from .table import RoutingTable

if TYPE_CHECKING:
    from ....common.rows import EncodedRows
    from ...kernel.routes import IPAddress

OUTSIDE = -1  # in place of an interval: no rule leads there
_HOST_BITS = {v: [(1 << (bits - n)) - 1 for n in range(bits + 1)] for v, bits in BITS.items()}


@dataclass
class Placed:
    """Rows of one family. `at` is each one's interval, that of its first address; `crossing` rows lie in several."""

    version: int
    rows: Sequence[int]  # row numbers
    first: list[int]  # their first addresses
    at: list[int]
    lengths: Sequence[int] | None = None  # of prefixes
    crossing: dict[int, list[int]] = field(default_factory=dict)  # position in `rows` -> all its intervals

    def inner(self, position: int) -> IPAddress:
        """A destination of a row."""
        short = self.lengths is not None and self.lengths[position] < BITS[self.version]
        return address(self.version, self.first[position] + short)

    def reach(self, position: int) -> Interval:
        """The first and the last destination of a row."""
        host_bits = _HOST_BITS[self.version][self.lengths[position]] if self.lengths is not None else 0
        return self.first[position], self.first[position] | host_bits

    def only(self) -> list[int]:
        """`at`, with `OUTSIDE` for rows that lie in several intervals."""
        found = list(self.at)
        for position in self.crossing:
            found[position] = OUTSIDE
        return found

    def hit(self) -> set[int]:
        """Every interval in which a row lies."""
        found = set(self.at)
        for several in self.crossing.values():
            found.update(several)
        found.discard(OUTSIDE)
        return found


def place(target: Target, tables: dict[int, RoutingTable]) -> list[Placed]:
    """The rows of a table whose key has the destination, as far as a rule leads to them."""
    rows = target.rows
    if rows is None or not rows.count:
        return []
    column: Sequence[bytes] = rows.typed.key["destination"]  # type: ignore[assignment]
    lengths = rows.typed.lengths.get("destination")
    return [
        _place(v, numbers, addresses, own_lengths, target.intervals(v), tables[v])
        for v, numbers, addresses, own_lengths in _families(rows, column, lengths)
        if addresses
    ]


Family = tuple[int, Sequence[int], Sequence[bytes], Sequence[int] | None]


def _families(rows: EncodedRows, column: Sequence[bytes], lengths: Sequence[int] | None) -> list[Family]:
    sizes = set(map(len, column))
    if sizes == {4}:
        return [(4, range(rows.count), column, lengths)]
    if not any(map(bytes.startswith, column, repeat(MAPPED))) and sizes == {16}:
        return [(6, range(rows.count), column, lengths)]
    four = [i for i, raw in enumerate(column) if len(raw) == 4 or raw.startswith(MAPPED)]
    six = [i for i, raw in enumerate(column) if len(raw) == 16 and not raw.startswith(MAPPED)]
    return [
        (4, four, [column[i][-4:] for i in four], [lengths[i] for i in four] if lengths else None),
        (6, six, [column[i] for i in six], [lengths[i] for i in six] if lengths else None),
    ]


def _place(
    version: int,
    rows: Sequence[int],
    addresses: Sequence[bytes],
    lengths: Sequence[int] | None,
    wanted: Sequence[Interval],
    table: RoutingTable,
) -> Placed:
    cuts, intervals = _cut(wanted, table)
    first = list(map(int.from_bytes, addresses))  # network byte order, the default
    at = list(map(intervals.__getitem__, map(bisect_right, repeat(cuts), first)))
    placed = Placed(version, rows, first, at, lengths)
    if lengths is not None and min(lengths) < BITS[version]:
        host_bits = _HOST_BITS[version]
        last = list(map(or_, first, map(host_bits.__getitem__, lengths)))
        begun, ended = (map(bisect_right, repeat(cuts), side) for side in (first, last))
        for i in compress(range(len(first)), map(ne, begun, ended)):
            low, high = bisect_right(cuts, first[i]), bisect_right(cuts, last[i])
            several = dict.fromkeys(n for n in intervals[low : high + 1] if n != OUTSIDE)
            if list(several) != [at[i]]:
                placed.crossing[i] = list(several)
    return placed


def _cut(wanted: Iterable[Interval], table: RoutingTable) -> tuple[list[int], list[int]]:
    """Where the answer changes, and the interval that follows each cut; the first is that before all cuts."""
    edges: dict[int, bool] = {0: False}
    for first, last in wanted:
        edges[first] = True
        if last < table.top:
            edges[last + 1] = False
    turns = sorted(edges)
    cuts = sorted({*table.starts, *turns})
    inside = [edges[turns[bisect_right(turns, cut) - 1]] for cut in cuts]
    return cuts, [OUTSIDE, *(table.at(c) if within else OUTSIDE for c, within in zip(cuts, inside, strict=True))]

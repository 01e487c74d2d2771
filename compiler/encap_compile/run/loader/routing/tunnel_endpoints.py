"""The tunnel endpoints of a table's rows, by the intervals of the routing table that they are in: a million/s."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress, islice, repeat
from operator import not_

from ....common.values import MAPPED
from .table import RoutingTable

Lies = tuple[int, int]  # version and interval
_MAPPED_FIRST = int.from_bytes(MAPPED + bytes(4))


class Ends:
    """`lies` says of each distinct end where it lies."""

    def __init__(self, column: Iterable[bytes], tables: dict[int, RoutingTable]) -> None:
        distinct = list(dict.fromkeys(column))  # in their order, which is that in memory
        base = 0 if distinct and len(distinct[0]) == 4 else _MAPPED_FIRST  # a column is of one width
        four, six = distinct, list[bytes]()
        if base:
            mapped = list(map(bytes.startswith, distinct, repeat(MAPPED)))
            if not all(mapped):
                four, six = list(compress(distinct, mapped)), list(compress(distinct, map(not_, mapped)))
        self.lies: dict[bytes, Lies] = {}
        for version, raws, first in ((4, four, base), (6, six, 0)):
            table = tables[version]
            starts = [first + start for start in table.starts]
            places: list[Lies] = [(version, n - 1) for n in range(len(starts) + 1)]
            found = map(bisect_right, repeat(starts), map(int.from_bytes, raws))
            self.lies.update(zip(raws, map(places.__getitem__, found), strict=True))

    def intervals(self, version: int) -> set[int]:
        """The intervals of a family in which there is an end."""
        return {interval for family, interval in set(self.lies.values()) if family == version}

    def versions(self) -> set[int]:
        """The families that occur."""
        return {version for version, _ in set(self.lies.values())}

    def count(self, chosen: Iterable[bytes]) -> Counter[Lies]:
        """How many of some ends lie in each interval."""
        return Counter(map(self.lies.__getitem__, chosen))

    def some(self, chosen: Iterable[bytes], where: Lies, but: frozenset[bytes], most: int) -> list[bytes]:
        """The first ends that lie in an interval and are none of `but`, each once."""

        def found() -> Iterator[bytes]:
            seen: set[bytes] = set()
            for raw in chosen:
                if raw not in seen and self.lies[raw] == where and raw not in but:
                    seen.add(raw)
                    yield raw

        return list(islice(found(), most))


def of_interval(ends: Sequence[bytes], at: Sequence[int], index: int, alone: bool) -> Sequence[bytes]:
    """The ends of the rows that lie in an interval; `alone` if all rows do."""
    return ends if alone else list(compress(ends, map(index.__eq__, at)))

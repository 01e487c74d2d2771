"""The tunnel endpoints of a table's rows, by the interval of the routing table that contains them: a million/s."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress, islice, repeat
from operator import not_

from ....common.values import MAPPED
from .table import RoutingTable

Location = tuple[int, int]  # version and interval
_MAPPED_FIRST = int.from_bytes(MAPPED + bytes(4))


class TunnelEndpoints:
    """`locations` has the location of each distinct endpoint."""

    def __init__(self, column: Iterable[bytes], tables: dict[int, RoutingTable]) -> None:
        distinct = list(dict.fromkeys(column))  # in their order, which is that in memory
        base = 0 if distinct and len(distinct[0]) == 4 else _MAPPED_FIRST  # a column is of one width
        four, six = distinct, list[bytes]()
        if base:
            mapped = list(map(bytes.startswith, distinct, repeat(MAPPED)))
            if not all(mapped):
                four, six = list(compress(distinct, mapped)), list(compress(distinct, map(not_, mapped)))
        self.locations: dict[bytes, Location] = {}
        for version, raws, first in ((4, four, base), (6, six, 0)):
            table = tables[version]
            starts = [first + start for start in table.starts]
            places: list[Location] = [(version, n - 1) for n in range(len(starts) + 1)]
            found = map(bisect_right, repeat(starts), map(int.from_bytes, raws))
            self.locations.update(zip(raws, map(places.__getitem__, found), strict=True))

    def intervals(self, version: int) -> set[int]:
        """The intervals of a family that contain an endpoint."""
        return {interval for family, interval in set(self.locations.values()) if family == version}

    def versions(self) -> set[int]:
        """The IP versions of the endpoints."""
        return {version for version, _ in set(self.locations.values())}

    def count(self, chosen: Iterable[bytes]) -> Counter[Location]:
        """Count the chosen endpoints by interval."""
        return Counter(map(self.locations.__getitem__, chosen))

    def some(self, chosen: Iterable[bytes], where: Location, but: frozenset[bytes], most: int) -> list[bytes]:
        """Return at most `most` distinct endpoints of an interval, in order, without those in `but`."""

        def found() -> Iterator[bytes]:
            seen: set[bytes] = set()
            for raw in chosen:
                if raw not in seen and self.locations[raw] == where and raw not in but:
                    seen.add(raw)
                    yield raw

        return list(islice(found(), most))


def of_interval(endpoints: Sequence[bytes], at: Sequence[int], index: int, alone: bool) -> Sequence[bytes]:
    """Return the endpoints of the rows in an interval; `alone`: every row is in it."""
    return endpoints if alone else list(compress(endpoints, map(index.__eq__, at)))

"""Whether one match covers another: whatever the second matches, the first does too."""

from __future__ import annotations

from ..spec import Addresses, Match, Range

ADDRESS_WORDS = ("destination", "source")
NUMBER_WORDS = ("protocol", "dscp")
PATH_WORDS = ("cgroup",)
RANGE_WORDS = ("destination_port", "source_port", "mark")
Index = dict[int, dict[int, set[int]]]  # IP version -> prefix length -> network bits


class Coverage:
    """Answers for one spec; indexes of prefix lists are made once, also of lists with 100 000 prefixes."""

    def __init__(self) -> None:
        self._indexes: dict[int, tuple[Addresses, Index]] = {}  # by identity: hashing a long list is slow

    def covers(self, first: Match, second: Match) -> bool:
        """May say no where the truth is yes (a prefix pieced together from longer ones), never the reverse."""
        for word in NUMBER_WORDS:
            wide, narrow = getattr(first, word), getattr(second, word)
            if wide and not (narrow and set(narrow) <= set(wide)):
                return False
        for word in RANGE_WORDS:
            wide, narrow = getattr(first, word), getattr(second, word)
            if wide and not (narrow and all(_within(r, _merged(wide)) for r in narrow)):
                return False
        for word in PATH_WORDS:
            wide, narrow = getattr(first, word), getattr(second, word)
            if wide and not (narrow and all(any(_below(n, w) for w in wide) for n in narrow)):
                return False
        for word in ADDRESS_WORDS:
            wide, narrow = getattr(first, word), getattr(second, word)
            if wide is not None and not (narrow is not None and self.addresses_cover(wide, narrow)):
                return False
        return True

    def addresses_cover(self, wide: Addresses, narrow: Addresses) -> bool:
        """Whether every prefix of `narrow` is within one of `wide`."""
        if wide is narrow:
            return True
        index = self._index(wide)
        for prefix in narrow.prefixes:
            number = int(prefix.network_address)
            for length, networks in index.get(prefix.version, {}).items():
                if length <= prefix.prefixlen and number >> (prefix.max_prefixlen - length) in networks:
                    break
            else:
                return False
        return True

    def _index(self, addresses: Addresses) -> Index:
        if id(addresses) not in self._indexes:
            index: Index = {}
            for prefix in addresses.prefixes:
                bits = int(prefix.network_address) >> (prefix.max_prefixlen - prefix.prefixlen)
                index.setdefault(prefix.version, {}).setdefault(prefix.prefixlen, set()).add(bits)
            self._indexes[id(addresses)] = (addresses, index)
        return self._indexes[id(addresses)][1]


def _merged(ranges: tuple[Range, ...]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for r in sorted((r.first, r.last) for r in ranges):
        if merged and r[0] <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], r[1]))
        else:
            merged.append(r)
    return merged


def _below(path: str, other: str) -> bool:
    """Whether a cgroup is another one, or lies in it."""
    return path == other or path.startswith(f"{other}/")


def _within(r: Range, merged: list[tuple[int, int]]) -> bool:
    return any(first <= r.first and r.last <= last for first, last in merged)

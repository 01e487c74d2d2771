"""Whether one match covers another: whatever the second matches, the first does too."""

from __future__ import annotations

from functools import lru_cache

from ..spec import Addresses, Match, Range

ADDRESS_WORDS = ("destination", "source")
NUMBER_WORDS = ("protocol", "dscp")
RANGE_WORDS = ("destination_port", "source_port", "mark")


def covers(first: Match, second: Match) -> bool:
    """May say no where the truth is yes (a range pieced together from many), never the reverse."""
    for word in NUMBER_WORDS:
        wide, narrow = getattr(first, word), getattr(second, word)
        if wide and not (narrow and set(narrow) <= set(wide)):
            return False
    for word in RANGE_WORDS:
        wide, narrow = getattr(first, word), getattr(second, word)
        if wide and not (narrow and all(_within(r, _merged(wide)) for r in narrow)):
            return False
    for word in ADDRESS_WORDS:
        wide, narrow = getattr(first, word), getattr(second, word)
        if wide is not None and not (narrow is not None and addresses_cover(wide, narrow)):
            return False
    return True


def addresses_cover(wide: Addresses, narrow: Addresses) -> bool:
    """Whether every prefix of `narrow` is within one of `wide`."""
    index = _index(wide)
    for prefix in narrow.prefixes:
        number = int(prefix.network_address)
        for length, networks in index.get(prefix.version, {}).items():
            if length <= prefix.prefixlen and number >> (prefix.max_prefixlen - length) in networks:
                break
        else:
            return False
    return True


@lru_cache(maxsize=4096)
def _index(addresses: Addresses) -> dict[int, dict[int, set[int]]]:
    """IP version -> prefix length -> network bits."""
    index: dict[int, dict[int, set[int]]] = {}
    for prefix in addresses.prefixes:
        bits = int(prefix.network_address) >> (prefix.max_prefixlen - prefix.prefixlen)
        index.setdefault(prefix.version, {}).setdefault(prefix.prefixlen, set()).add(bits)
    return index


def _merged(ranges: tuple[Range, ...]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for r in sorted((r.first, r.last) for r in ranges):
        if merged and r[0] <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], r[1]))
        else:
            merged.append(r)
    return merged


def _within(r: Range, merged: list[tuple[int, int]]) -> bool:
    return any(first <= r.first and r.last <= last for first, last in merged)

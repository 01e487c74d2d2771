"""What the routing table of a route device holds: prefixes that lead to it, and those that must not.

Prefixes overlap, and of overlapping routes the longest is taken. So few routes do for many rows: neighbours become one,
and a prefix within another is left out, unless something thrown lies between the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Address, ip_network
from types import MappingProxyType
from typing import TYPE_CHECKING

from ....common.record import Record
from ....common.values import MAPPED
from ...kernel.table_routes import VERSIONS, Entry, Network

if TYPE_CHECKING:
    from ....common.rows import EncodedRows

_BITS = {4: 32, 6: 128}
NO_SOURCES: Mapping[Network, IPv4Address] = MappingProxyType({})
Short = tuple[int, int]  # the first address as a number, and the prefix length; of one family at a time


class Routed(Record):
    """The destinations of one rule, and those of them that earlier rules pass."""

    prefixes: tuple[Network, ...]
    passed: tuple[Network, ...] = ()


class Routing(Record):
    """Prefixes that lead to the device, and those that are left to the routes behind."""

    routed: tuple[Network, ...] = ()
    thrown: tuple[Network, ...] = ()

    @property
    def versions(self) -> set[int]:
        """Of the prefixes that lead to the device."""
        return {network.version for network in self.routed}

    def entries(self, device: int, sources: Mapping[Network, IPv4Address] = NO_SOURCES) -> list[Entry]:
        """The routes, for a device by its ifindex. Behind each stands one that is unreachable."""
        leads = [entry for n in self.routed for entry in (Entry.behind(n), Entry.to(n, device, sources.get(n)))]
        return leads + [Entry.thrown(n) for n in self.thrown]


def routing(rules: Iterable[Routed], on_link: Iterable[Network], endpoints: Iterable[Network]) -> Routing:
    """The routes for rules in their order.

    Thrown are: what a rule before passes; subnets that devices of this machine are on, as far as a routed prefix is
    wider, since gateways and neighbours are there; and tunnel endpoints, to which packets go that are encapsulated.
    """
    rules, links, ends = list(rules), list(on_link), list(endpoints)
    routed: list[Network] = []
    thrown: list[Network] = []
    for version in VERSIONS:
        ours = [(_of(r.prefixes, version), _of(r.passed, version)) for r in rules]
        found = _family(ours, _of(links, version), _of(ends, version), _BITS[version])
        routed += [_network(version, short) for short in found[0]]
        thrown += [_network(version, short) for short in found[1]]
    return Routing(tuple(routed), tuple(thrown))


def row_prefixes(rows: EncodedRows, within: Sequence[Network]) -> list[Network]:
    """The destinations of rows, as far as they lie within prefixes: of a wider one, these."""
    column: Sequence[bytes] = rows.typed.key["destination"]  # type: ignore[assignment]
    lengths = rows.typed.lengths.get("destination") or [0] * len(column)
    by_column = "destination" in rows.typed.lengths
    found: dict[tuple[int, Short], None] = {}
    for raw, length in zip(column, lengths, strict=True):
        four = raw[-4:] if len(raw) == 4 or raw.startswith(MAPPED) else b""
        version = 4 if four else 6
        found[version, (int.from_bytes(four or raw, "big"), length if by_column else _BITS[version])] = None
    wide = {version: _Cover(_of(within, version), _BITS[version]) for version in VERSIONS}
    narrow: list[Network] = []
    for version, short in found:
        if wide[version].covers(short):
            narrow.append(_network(version, short))
        else:
            row = _Cover([short], _BITS[version])
            narrow += [_network(version, s) for s in _of(within, version) if row.covers(s)]
    return narrow


def within(networks: Iterable[Network], wide: Iterable[Network]) -> list[Network]:
    """Those that lie within one of some prefixes."""
    every = list(wide)
    covers = {version: _Cover(_of(every, version), _BITS[version]) for version in VERSIONS}
    return [n for n in networks if covers[n.version].covers((int(n.network_address), n.prefixlen))]


class _Cover:
    """Which of some prefixes hold another one."""

    def __init__(self, shorts: Iterable[Short], bits: int) -> None:
        self._bits = bits
        self._by_length: dict[int, set[int]] = {}
        for first, length in shorts:
            self._by_length.setdefault(length, set()).add(first >> (bits - length))

    def covers(self, short: Short, strictly: bool = False) -> bool:
        first, length = short
        return any(
            (each < length if strictly else each <= length) and first >> (self._bits - each) in known
            for each, known in self._by_length.items()
        )


def _family(
    rules: Sequence[tuple[Sequence[Short], Sequence[Short]]], links: Sequence[Short], ends: Sequence[Short], bits: int
) -> tuple[list[Short], list[Short]]:
    kept: dict[Short, None] = {}
    for prefixes, passed in rules:
        skips = _Cover(passed, bits)
        kept.update(dict.fromkeys(p for p in prefixes if not skips.covers(p)))
    merged = _merged(kept, bits)
    around = _Cover(merged, bits)
    passed = [p for _, passes in rules for p in passes]
    # A row for the very subnet that is on-link is meant for what is behind the tunnel.
    wide = (*passed, *(subnet for subnet in links if subnet not in kept), *ends)
    thrown = dict.fromkeys(t for t in wide if around.covers(t))
    between = _Cover(thrown, bits)
    within = [p for p in kept if between.covers(p, strictly=True)]
    return sorted({*merged, *within}), sorted(thrown)


def _merged(shorts: Iterable[Short], bits: int) -> list[Short]:
    """The same addresses in the fewest prefixes."""
    found: list[Short] = []
    for first, length in sorted(shorts):
        if found and first >> (bits - found[-1][1]) == found[-1][0] >> (bits - found[-1][1]) and length >= found[-1][1]:
            continue
        found.append((first, length))
        while len(found) > 1 and _halves(found[-2], found[-1], bits):
            found[-2:] = [(found[-2][0], found[-2][1] - 1)]
    return found


def _halves(one: Short, other: Short, bits: int) -> bool:
    """Whether two prefixes are the two halves of a wider one."""
    length = one[1]
    return length == other[1] > 0 and one[0] ^ other[0] == 1 << (bits - length)


def _of(networks: Iterable[Network], version: int) -> list[Short]:
    return [(int(n.network_address), n.prefixlen) for n in networks if n.version == version]


def _network(version: int, short: Short) -> Network:
    first, length = short
    return ip_network((first.to_bytes(_BITS[version] // 8, "big"), length))

"""Prefixes as intervals of addresses. Addresses are whole numbers here, of one family at a time."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_network, summarize_address_range

from ...kernel.routes import IPAddress, IPNetwork

Interval = tuple[int, int]  # first and last address
BITS = {4: 32, 6: 128}


def interval(prefix: IPNetwork) -> Interval:
    """All addresses of a prefix."""
    first = int(prefix.network_address)
    return first, first + prefix.num_addresses - 1


def address(version: int, number: int) -> IPAddress:
    """The address as a value of its type."""
    return IPv4Address(number) if version == 4 else IPv6Address(number)


def merged(intervals: Iterable[Interval]) -> list[Interval]:
    """The same addresses in as few intervals as there can be, in their order."""
    found: list[Interval] = []
    for first, last in sorted(intervals):
        if found and first <= found[-1][1] + 1:
            if last > found[-1][1]:
                found[-1] = found[-1][0], last
        else:
            found.append((first, last))
    return found


def prefixes(version: int, intervals: Iterable[Interval]) -> list[IPNetwork]:
    """Intervals as the fewest prefixes."""
    found: list[IPNetwork] = []
    for first, last in intervals:
        found += summarize_address_range(address(version, first), address(version, last))
    return found


def everything(version: int) -> IPNetwork:
    """0.0.0.0/0 or ::/0."""
    return ip_network("0.0.0.0/0" if version == 4 else "::/0")


def sample(version: int, first: int, last: int) -> IPAddress:
    """An address of an interval, for people: the first of a prefix is no host's in most of them."""
    return address(version, first if first == last else first + 1)

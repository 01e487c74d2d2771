"""The words of a document as values: ranges, protocols, code points, prefixes, fields of rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
# https://www.iana.org/assignments/protocol-numbers and https://www.iana.org/assignments/dscp-registry
PROTOCOLS = {"icmp": 1, "ipip": 4, "tcp": 6, "udp": 17, "ipv6": 41, "gre": 47, "esp": 50, "icmpv6": 58, "sctp": 132}
CODE_POINTS = {"ef": 46, **{f"cs{n}": 8 * n for n in range(8)}}
CODE_POINTS |= {f"af{c}{d}": 8 * c + 2 * d for c in range(1, 5) for d in range(1, 4)}


def listed(value: Any) -> list[Any]:
    """A list may be one thing."""
    return value if isinstance(value, list) else [value]


def number(word: Any) -> int:
    return word if isinstance(word, int) else int(word, 0)


def ranges(words: Any) -> Iterator[tuple[int, int]]:
    for word in listed(words):
        first, _, last = str(word).partition("-")
        yield number(first), number(last or first)


def named(words: Any, names: dict[str, int]) -> set[int]:
    return {names[w] if w in names else number(w) for w in listed(words)}


@cache
def network(text: str) -> Network:
    return ip_network(text)


def networks(words: Any, sets: dict[str, list[str]]) -> list[Network]:
    """Of prefixes, addresses, and names of sets."""
    found: list[Network] = []
    for word in listed(words):
        found += networks(sets[word], {}) if word in sets else [network(word)]
    return found


def within(address: Address, prefixes: Iterable[Network]) -> bool:
    return any(address.version == p.version and address in p for p in prefixes)


def field(value: Any) -> int | bytes:
    """A field of a row, or a literal of a header: an address, a MAC address, a code point, or a number."""
    if isinstance(value, int):
        return value
    if value in CODE_POINTS:
        return CODE_POINTS[value]
    if value.count(":") == 5 and all(len(part) == 2 for part in value.split(":")):
        return bytes.fromhex(value.replace(":", ""))
    if "." in value or ":" in value:
        return ip_address(value).packed
    return number(value)

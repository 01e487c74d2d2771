"""Packets at the edges of what a document says: within its prefixes, ports and marks, and just beside them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from random import Random
from typing import Any

from . import words
from .egress import ADDRESSES, ICMPV6, Document, Packet
from .words import Address, Network, listed

SOMEWHERE = {
    4: ["10.1.2.3", "8.8.8.8", "169.254.1.1", "224.0.0.5"],
    6: ["fd00:1:2:3::4", "2600::1", "fe80::1", "ff02::1"],
}
ICMP = 1


class Aim:
    def __init__(self, random: Random, document: Document, direction: str = "egress") -> None:
        self.random = random
        sets = document.get("sets", {})
        rules = document.get(direction, {}).get("rules", [])
        tables = document.get("endpoints", {})
        rows = [
            {word: row[word] for word in listed(table.get("key", [])) if not word.startswith("received.")}
            for table in tables.values()
            for row in table["rows"]
        ]
        matches = [rule.get("match", {}) for rule in rules]
        self.wanted = [*matches, *rows] or [{}]
        self.sets = sets
        self.ports = sorted({0, 1, 65535, *self._edges(matches, rows, "_port", 65535)})
        self.marks = sorted({0, *self._edges(matches, rows, "mark", 0xFFFFFFFF)})
        self.choices = [(name, row["name"]) for name, table in tables.items() for row in table["rows"] if "name" in row]
        self.cgroups = sorted({path for asked in self.wanted for path in listed(asked.get("cgroup", []))})
        self.attached = "cgroup" in document["attach"]

    @staticmethod
    def _edges(matches: list[Any], rows: list[Any], word: str, most: int) -> Iterator[int]:
        for asked in (*matches, *rows):
            for name, value in asked.items():
                if name.endswith(word):
                    for first, last in words.ranges(value):
                        yield from (max(0, first - 1), first, last, min(most, last + 1))

    def draw(self) -> Packet:
        """Most meet a rule's match, or a row's key, or both, but for one word sometimes."""
        random = self.random
        wanted: dict[str, Any] = {}
        for asked in random.sample(self.wanted, min(2, len(self.wanted))):
            wanted |= {word: value for word, value in asked.items() if word not in wanted or random.random() < 0.5}
        if wanted and random.random() < 0.3:
            wanted.pop(random.choice(list(wanted)))
        version = self._version(wanted)
        destination, source = (self._address(version, wanted.get(word)) for word in ADDRESSES)
        protocol = self._one(sorted(words.named(wanted.get("protocol", []), words.PROTOCOLS)), [6, 17, 132, 1, 47])
        if protocol in (ICMP, ICMPV6):
            protocol = ICMP if version == 4 else ICMPV6
        packet = Packet(
            source,
            destination,
            protocol,
            self._within(wanted.get("source_port"), self.ports),
            self._within(wanted.get("destination_port"), self.ports),
            self._one(sorted(words.named(wanted.get("dscp", []), words.CODE_POINTS)), [0, 8, 46, 1]),
            self._within(wanted.get("mark"), self.marks),
            random.choice((64, 1, 255)),
        )
        if protocol not in (6, 17, 132):
            packet = replace(packet, source_port=0, destination_port=0)
        if protocol == ICMPV6:
            packet = replace(packet, icmp_type=random.choice((128, 129, 133, 135, 137, 138)))
        return self._of_socket(packet, wanted)

    def _of_socket(self, packet: Packet, wanted: dict[str, Any]) -> Packet:
        random = self.random
        if not self.attached or random.random() < 0.4:
            return packet
        path = random.choice([*listed(wanted.get("cgroup", [])), *self.cgroups, "other.slice"])
        path += random.choice(("", "", "/below", "-beside"))
        choice = random.choice(self.choices) if self.choices and random.random() < 0.6 else None
        return replace(packet, cgroup=path, choice=choice)

    def _one(self, asked: list[int], usual: list[int]) -> int:
        return self.random.choice(asked if asked and self.random.random() < 0.8 else usual)

    def _within(self, asked: Any, edges: list[int]) -> int:
        if asked is None or self.random.random() < 0.2:
            return self.random.choice(edges)
        first, last = self.random.choice(list(words.ranges(asked)))
        return self.random.choice((first, last, self.random.randint(first, last)))

    def _networks(self, asked: Any) -> list[Network]:
        return words.networks(asked, self.sets) if asked is not None else []

    def _version(self, wanted: dict[str, Any]) -> int:
        versions = [n.version for word in ADDRESSES for n in self._networks(wanted.get(word))]
        return self.random.choice(versions or [4, 6]) if self.random.random() < 0.85 else self.random.choice((4, 6))

    def _address(self, version: int, asked: Any) -> Address:
        """In one of the prefixes, at its ends, or beside it."""
        random = self.random
        pool = [n for n in self._networks(asked) if n.version == version]
        if not pool or random.random() < 0.1:
            return ip_address(random.choice(SOMEWHERE[version]))
        network = random.choice(pool)
        first, last = int(network.network_address), int(network.broadcast_address)
        ends = (first, last, first + 1, first - 1, last + 1, *[random.randint(first, last)] * 3)
        value = random.choice(ends) & ((1 << network.max_prefixlen) - 1)
        return IPv4Address(value) if version == 4 else IPv6Address(value)

"""What the document of a spec does with a packet that leaves.

Reads nothing but the document, as a person would who knows docs/spec.md: no schema, no resolved spec, no IR. What hides
a part of itself (a later fragment, a chain of headers that is too long) is every packet that it could be: see `may`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_address, ip_network
from itertools import product
from typing import Any

from . import words
from .words import Address, listed

Document = Mapping[str, Any]
ICMPV6, WITH_PORTS = 58, (6, 17, 132)
DISCOVERY = range(133, 138)  # RFC 4861: with a hop limit of 255, which no router has lowered
# RFC 3927; RFC 5771, section 4; RFC 919; RFC 4291, sections 2.5.6 and 2.7
ON_THE_LINK = [
    ip_network(n)
    for n in ("169.254.0.0/16", "224.0.0.0/24", "255.255.255.255/32", "fe80::/10", "ff01::/16", "ff02::/16")
]
ADDRESSES = ("destination", "source")
HIDDEN_WORDS = ("protocol", "source_port", "destination_port")


@dataclass(frozen=True)
class Packet:
    """`cgroup` is the path in which its socket was made; None without a socket. `choice`: (table, row)."""

    source: Address
    destination: Address
    protocol: int
    source_port: int = 0
    destination_port: int = 0
    dscp: int = 0
    mark: int = 0
    hop_limit: int = 64
    icmp_type: int = 0
    cgroup: str | None = None
    choice: tuple[str, str] | None = None


@dataclass(frozen=True)
class Decision:
    """`what` is pass, drop or encapsulate; `rule` is empty for what passes before the rules."""

    what: str
    rule: str = ""
    encapsulation: str = ""
    row: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        by = f"{self.what} by {self.rule or 'no rule'}"
        return f"{by}, {self.encapsulation} {dict(self.row)}" if self.row else by


class Egress:
    def __init__(self, document: Document) -> None:
        self.sets = dict(document.get("sets", {}))
        self.tables = document.get("endpoints", {})
        self.rules = document["egress"].get("rules", [])
        self.default = document["egress"]["default"]
        self.route = document["egress"].get("next_hop", "keep") == "route"

    def decide(self, packet: Packet) -> Decision:
        """Of a packet that shows everything. Nothing is learned: what reflects leaves it to the next rule."""
        if self.aside(packet):
            return Decision("pass")
        for rule in self.rules:
            if self.matches(rule.get("match", {}), packet):
                decided = self.applied(rule, packet)
                if decided is not None:
                    return decided
        return Decision(self.default, "default")

    def may(self, packet: Packet, protocols: Iterable[int]) -> list[Decision]:
        """What is decided of each packet that one could be which hides its ports, and its protocol if there are
        several: with all values that make a difference."""
        found: list[Decision] = []
        for protocol in sorted({*protocols}):
            asked = (
                [[0], [0]]
                if protocol not in WITH_PORTS
                else [self.edges("source_port"), self.edges("destination_port")]
            )
            for source, destination in product(*asked):
                one = replace(packet, protocol=protocol, source_port=source, destination_port=destination)
                decided = self.decide(one)
                if decided not in found:
                    found.append(decided)
        return found

    def edges(self, word: str) -> list[int]:
        """The numbers at which what rules and keys say of a word changes."""
        asked = [rule.get("match", {}) for rule in self.rules]
        asked += [
            row for table in self.tables.values() if word in listed(table.get("key", [])) for row in table["rows"]
        ]
        pairs = [pair for one in asked if word in one for pair in words.ranges(one[word])]
        return sorted({0, *(first for first, _ in pairs), *(last + 1 for _, last in pairs if last < 0xFFFF)})

    def asks_what_is_hidden(self) -> bool:
        """Whether any rule or key asks for ports or a protocol."""
        asked = {word for rule in self.rules for word in rule.get("match", {})}
        asked |= {word for table in self.tables.values() for word in listed(table.get("key", []))}
        return not asked.isdisjoint(HIDDEN_WORDS)

    @staticmethod
    def aside(packet: Packet) -> bool:
        """What keeps a link alive is none for the rules."""
        discovery = packet.protocol == ICMPV6 and packet.hop_limit == 255 and packet.icmp_type in DISCOVERY
        return words.within(packet.destination, ON_THE_LINK) or discovery

    def matches(self, match: Mapping[str, Any], packet: Packet) -> bool:
        """All words hold; of a list, one thing of it."""
        return all(self.holds(word, asked, packet) for word, asked in match.items())

    def holds(self, word: str, asked: Any, packet: Packet) -> bool:
        value = getattr(packet, word)
        if word in ADDRESSES:
            return words.within(value, words.networks(asked, self.sets))
        if word == "protocol":
            return value in words.named(asked, words.PROTOCOLS)
        if word == "dscp":
            return value in words.named(asked, words.CODE_POINTS)
        if word == "cgroup":
            return any(below(value, path) for path in listed(asked))
        if word.endswith("_port") and packet.protocol not in WITH_PORTS:
            return any(first == 0 for first, _ in words.ranges(asked))  # a packet without ports has zeros
        return any(first <= value <= last for first, last in words.ranges(asked))

    def applied(self, rule: Mapping[str, Any], packet: Packet) -> Decision | None:
        """None: the next rule decides."""
        name = rule["name"]
        if "action" in rule:
            return Decision(rule["action"], name)
        if "reflect" in rule:
            return None
        for target in listed(rule["to"] if "to" in rule else rule["socket"]):
            table, _, row = target.partition("/")
            if "socket" in rule:
                if packet.choice is None or packet.choice[0] != table or (row and packet.choice[1] != row):
                    continue
                row = packet.choice[1]
            found = self.named(table, row) if row else self.keyed(table, packet)
            if found is not None:
                return Decision("encapsulate", name, self.encapsulation(table, found), found)
            missed = rule.get("on_miss", "drop")
            if missed != "next":
                return Decision(missed, name)
        return None

    def named(self, table: str, name: str) -> Mapping[str, Any] | None:
        return next((row for row in self.tables[table]["rows"] if row.get("name") == name), None)

    def keyed(self, table: str, packet: Packet) -> Mapping[str, Any] | None:
        """The row whose key the packet has; of several, that of the longest prefix."""
        key = listed(self.tables[table]["key"])
        last = next((word for word in reversed(key) if word in ADDRESSES), "")
        found = [row for row in self.tables[table]["rows"] if all(self.has(row[word], word, packet) for word in key)]
        if "cgroup" in key:
            return max(found, key=lambda row: row["cgroup"].count("/"), default=None)
        return max(found, key=lambda row: words.network(row[last]).prefixlen if last else 0, default=None)

    def has(self, asked: Any, word: str, packet: Packet) -> bool:
        if word.endswith("_port"):  # whatever the protocol: a packet without ports has zeros
            return bool(getattr(packet, word) == words.number(asked))
        return self.holds(word, asked, packet)

    def encapsulation(self, table: str, row: Mapping[str, Any]) -> str:
        return str(row.get("encapsulation") or self.tables[table]["encapsulation"])


def below(made_in: str | None, path: str) -> bool:
    """Whether a socket made in one cgroup is in another one: that itself, or one above it."""
    return made_in is not None and (made_in == path or made_in.startswith(f"{path}/"))


def given(headers: list[dict[str, Any]], row: Mapping[str, Any]) -> Iterator[tuple[int, str, int | bytes]]:
    """The fields of an encapsulation that the row gives: the header's place, the field, its value."""
    for place, header in enumerate(headers):
        ((_, fields),) = header.items()
        for name, value in fields.items():
            root, _, column = str(value).partition(".")
            if root == "endpoint" and column in row:
                yield place, name, words.field(row[column])


def outer_version(headers: list[dict[str, Any]], row: Mapping[str, Any]) -> int:
    ((name, fields),) = headers[0].items()
    if name in ("ipv4", "ipv6"):
        return int(name[-1])
    root, _, column = fields["destination"].partition(".")
    return ip_address(row[column] if root == "endpoint" else fields["destination"]).version

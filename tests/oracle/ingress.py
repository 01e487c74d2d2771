"""What the document of a spec does with a packet that arrives in one of its encapsulations, all headers of it right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random
from typing import Any, NamedTuple

from encap_compile.compile.headers.catalogue import settable
from encap_compile.compile.headers.encode import FieldValue
from encap_compile.compile.headers.model import Field, Receive

from . import words
from .egress import Document, Egress, Packet
from .words import Address, listed

# What the machine gives for the host values of drawn documents: two encapsulations may be told apart by our address.
ADDRESSES = {
    "h-ip": ["192.0.2.81", "2001:db8::81"],
    "h-ipv4": "192.0.2.82",
    "h-ipv6": "2001:db8::83",
}
MAC = bytes.fromhex("020000000077")  # of the invented machine, whose numbers are all 1


def on_a_machine(document: Document) -> dict[str, Any]:
    """The document with these addresses, which its tests name."""
    given = {name: address for name, address in ADDRESSES.items() if name in document["host"]}
    leaves = {"source": "10.0.0.1", "destination": "10.0.0.2", "protocol": "udp"}
    test = {"name": "none", "leaves": leaves, "expect": {"verdict": "pass"}}
    return {**document, "tests": {"host": given, "packets": [test]}} if given else dict(document)


class Taken(NamedTuple):
    """The rule that decapsulates, and the mark of the packet behind it; no rule: it is refused.

    `known`: whether any rule lets the sender send. What comes from others may be taken for nobody's, too.
    """

    rule: str
    mark: int
    known: bool = True


class Arriving(NamedTuple):
    """`given` are the headers for the catalogue's encoder. `identifiers` by `HEADER.FIELD`, as a lookup names them."""

    encapsulation: str
    version: int
    sender: Address
    given: list[tuple[str, dict[str, FieldValue]]]
    identifiers: Mapping[str, int]


class Ingress:
    def __init__(self, document: Document) -> None:
        self.document = document
        self.rules = document.get("ingress", {}).get("rules", [])
        self.refuse = document.get("ingress", {}).get("refuse", "drop")
        self.egress = Egress(document)  # for the words of matches
        self.names = [e for e in dict.fromkeys(r["decapsulate"] for r in self.rules) if self._fixed(e)]

    def _fixed(self, encapsulation: str) -> bool:
        """Whether all of its headers have one length."""
        fields = [f for header in self.document["encapsulations"][encapsulation] for f in header.values()]
        return not any({"options", "private", "enterprise"} & {*(f or {})} for f in fields)

    def decide(self, arriving: Arriving, inner: Packet) -> Taken:
        known = False
        for rule in self.rules:
            if rule["decapsulate"] != arriving.encapsulation or not self.may_send(rule["from"], arriving.sender):
                continue
            known = True
            if not self.egress.matches(rule.get("match", {}), inner):
                continue
            row: Mapping[str, Any] = {}
            if "lookup" in rule:
                table = self.document["endpoints"][rule["lookup"]]
                (key,) = listed(table["key"])
                number = arriving.identifiers[key.removeprefix("received.")]
                found = next((r for r in table["rows"] if words.number(r[key]) == number), None)
                if found is None:
                    return Taken("", inner.mark)
                row = found
            return Taken(rule["name"], self.mark(rule, row, inner))
        return Taken("", inner.mark, known)

    @staticmethod
    def mark(rule: Mapping[str, Any], row: Mapping[str, Any], inner: Packet) -> int:
        asked = rule.get("set_mark", inner.mark)
        root, _, name = str(asked).partition(".")
        if root == "endpoint":
            return words.number(row[name])
        return 1 if root == "host" else words.number(asked)

    def may_send(self, asked: Any, sender: Address) -> bool:
        if asked == "any":
            return True
        if isinstance(asked, str) and self._field(asked):
            table, _, name = asked.partition(".")
            rows = self.document["endpoints"][table]["rows"]
            return sender.packed in {words.field(row[name]) for row in rows if name in row}
        return words.within(sender, words.networks(asked, self.egress.sets))

    def _field(self, asked: str) -> bool:
        table, _, name = asked.partition(".")
        return name in self.document.get("endpoints", {}).get(table, {}).get("fields", {})

    # ---- packets that arrive

    def draw(self, random: Random) -> Arriving | None:
        name = random.choice(self.names)
        stack = self.document["encapsulations"][name]
        ((outermost, fields),) = stack[0].items()
        own = {address.version: address.packed for address in _own(fields["source"])}
        version = random.choice(list(own) if outermost == "ip" else [int(outermost[-1])])
        sender = self._sender(random, name, version)
        if sender is None:
            return None
        given, identifiers = [], {}
        for place, header in enumerate(stack):
            ((word, fields),) = header.items()
            real = f"ipv{version}" if word == "ip" else word
            found: dict[str, FieldValue] = {}
            if not place:
                found = {"source": sender.packed, "destination": own[version]}
            for field, described in settable(word).items():
                if place:
                    value = self._arrives(random, f"{word}.{field}", described, fields or {})
                    if value is not None:
                        found[field] = value
                        if isinstance(value, int):
                            identifiers[f"{word}.{field}"] = value
            given.append((real, found))
        return Arriving(name, version, sender, given, identifiers)

    def _arrives(self, random: Random, name: str, field: Field, fields: Mapping[str, Any]) -> FieldValue | None:
        """What a peer sends in a field for which ours would be taken. None: what its protocol says."""
        word = field.peer if field.receive is Receive.EXCHANGE else field.name
        if word not in fields:
            return None
        written = str(fields[word])
        if written == "host.uplink.mac" or (written.startswith("host.") and "mac" in written):
            return MAC
        if written.startswith("host."):
            return 1
        if written.startswith(("endpoint.", "received.", "packet.")):
            keys = self._keys(f"received.{name}") or [random.getrandbits(field.bits)]
            value = random.choice(keys) + random.choice((0, 0, 0, 1))
            return value & (1 << field.bits) - 1 if field.bits <= 32 else None  # no address
        if written.isalpha() or field.receive is Receive.IGNORE:
            return None
        return words.field(fields[word])

    def _keys(self, key: str) -> list[int]:
        tables = self.document.get("endpoints", {}).values()
        return [words.number(row[key]) for table in tables for row in table["rows"] if key in row]

    def _sender(self, random: Random, encapsulation: str, version: int) -> Address | None:
        pool = [*self._senders(encapsulation), words.ip_address("198.18.0.1"), words.ip_address("2001:db8:ffff::1")]
        fitting = [address for address in pool if address.version == version]
        return random.choice(fitting) if fitting else None

    def _senders(self, encapsulation: str) -> Iterator[Address]:
        for rule in self.rules:
            asked = rule["from"]
            if rule["decapsulate"] != encapsulation or asked == "any":
                continue
            if isinstance(asked, str) and self._field(asked):
                table, _, name = asked.partition(".")
                yield from (words.ip_address(r[name]) for r in self.document["endpoints"][table]["rows"] if name in r)
                continue
            for network in words.networks(asked, self.egress.sets):
                first, last = network.network_address, network.broadcast_address
                yield from (first, last)
                yield from (
                    (first - 1, last + 1) if int(first) and last != last.__class__(2**last.max_prefixlen - 1) else ()
                )


def _own(written: str) -> list[Address]:
    """Our own addresses, of each family."""
    name = written.removeprefix("host.")
    return [words.ip_address(text) for text in listed(ADDRESSES.get(name, written))]

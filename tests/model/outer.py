"""Packets as a peer sends them through a tunnel, by the catalogue's encoder, right in all or wrong in one thing."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from encap_compile.compile import ir
from encap_compile.compile.headers.catalogue import headers
from encap_compile.compile.headers.encode import FieldValue, encode
from encap_compile.compile.headers.model import FromSpec, NextProtocol, Receive
from encap_compile.compile.model import Facts

from .near import SIZES, Near

LIMIT = bytes.fromhex("0004010401 0100".replace(" ", ""))  # what follows the next header of an encapsulation limit


def _lookups(decapsulation: ir.Decapsulation) -> list[ir.IdentifierLookUp]:
    return [rule.lookup for rule in decapsulation.rules if rule.lookup]


class Outers:
    """Draws outer headers for what may come in."""

    def __init__(self, random: Random, near: Near, program: ir.Program, facts: Facts) -> None:
        self.random, self.near, self.facts = random, near, facts
        self.program = program
        self.arriving = [(d, outer.stack) for d in program.decapsulations for outer in d.outers]

    def wrap(self, inner: bytes) -> tuple[str, bytes]:
        """(outer family, datagram)."""
        decapsulation, stack = self.random.choice(self.arriving)
        given = [(layer.header, self._given(decapsulation, stack, layer)) for layer in stack.layers]
        if self.random.random() < 0.1:  # a header is missing, twice, or in another place
            given = self._disordered(given)
        try:
            datagram = encode(given, inner, self.random.getrandbits(32))
        except (ValueError, KeyError, OverflowError):
            datagram = self.random.randbytes(64)
        if stack.outer_family == "ipv6" and self.random.random() < 0.15:
            datagram = self._limited(datagram)
        tagged = isinstance(decapsulation.inner, ir.NamedByField) and decapsulation.inner.tagged
        if tagged and self.random.random() < 0.1:
            datagram = self._tagged(datagram, stack)
        return stack.outer_family, datagram

    def _given(self, decapsulation: ir.Decapsulation, stack: ir.Stack, layer: ir.Layer) -> dict[str, FieldValue]:
        header = headers()[layer.header]
        found: dict[str, FieldValue] = {}
        sources = {p.name: p.source for w in layer.words for p in w.parts}
        for word in layer.words:
            for part in word.parts:
                field = header.field(part.name)
                source = sources.get(field.peer, part.source) if field.receive is Receive.EXCHANGE else part.source
                settable = isinstance(field.role, FromSpec) or (
                    isinstance(field.role, NextProtocol) and field.role.settable
                )
                if layer is stack.layers[0] and part.name == "source":
                    found[part.name] = self._sender(decapsulation, stack.outer_family)
                elif settable:
                    value = self._value(decapsulation, layer, word, part, source)
                    if value is not None:
                        found[part.name] = value
                if self.random.random() < 0.012:
                    found[part.name] = self._other(found.get(part.name, 0), part.bits)
        if self.random.random() < 0.2 and layer is stack.layers[0]:
            found["ecn"] = self.random.getrandbits(2)
        self._variable(found, stack, layer)
        return found

    def _other(self, value: FieldValue, bits: int) -> FieldValue:
        number = int.from_bytes(value, "big") if isinstance(value, bytes) else value if isinstance(value, int) else 0
        return self.random.choice((number ^ 1 << self.random.randrange(bits), self.random.getrandbits(bits)))

    def _sender(self, decapsulation: ir.Decapsulation, family: str) -> bytes:
        senders = self.random.choice(decapsulation.rules).senders
        if self.random.random() < 0.08 or isinstance(senders, ir.AnySource):
            return self.near.address(family)
        if isinstance(senders, ir.SourcePrefixes):
            prefixes = [p for p in senders.prefixes if f"ipv{p.version}" == family]
            return self.near.within(self.random.choice(prefixes)) if prefixes else self.near.address(family)
        known = [a[-SIZES[family] :] for a in self.facts.sets.get(senders.map, ()) if self._is(a, family)]
        prefixes = [p for p in self.facts.prefixes.get(senders.map, ()) if f"ipv{p.version}" == family]
        if prefixes:
            return self.near.within(self.random.choice(prefixes))
        return self.random.choice(known) if known else self.near.address(family)

    @staticmethod
    def _is(address: bytes, family: str) -> bool:
        return address.startswith(bytes(10) + b"\xff\xff") == (family == "ipv4")

    def _value(
        self, decapsulation: ir.Decapsulation, layer: ir.Layer, word: ir.WordLayout, part: ir.Part, source: ir.Source
    ) -> FieldValue | None:
        random = self.random
        for found in _lookups(decapsulation):
            if not isinstance(found.key, ir.ReceivedField):
                continue
            if (found.key.layer, found.key.word, found.key.shift) == (layer.member, word.name, part.shift):
                keys = self._keys(found)
                number = random.choice(keys) + random.choice((0, 0, 0, 0, 0, 1, -1)) if keys else 0
                return number & (1 << part.bits) - 1
        if isinstance(source, ir.Literal):
            return source.value
        if isinstance(source, ir.FromHost):
            return self.facts.host[source.member]
        if isinstance(source, ir.FromInner):
            return random.getrandbits(part.bits)
        if isinstance(source, ir.FromRow | ir.FromFlow):
            return random.getrandbits(part.bits)
        return None

    def _keys(self, found: ir.IdentifierLookUp) -> list[int]:
        return [key[0] for key in self.facts.tables[found.table].by_key if isinstance(key[0], int)]

    def _variable(self, found: dict[str, FieldValue], stack: ir.Stack, layer: ir.Layer) -> None:
        variable, random = headers()[layer.header].variable, self.random
        if variable is None or (random.random() < 0.2 and stack.variable is None):
            return
        if stack.variable is None or stack.variable.layer != layer.member or stack.variable.options is None:
            if stack.variable is not None or random.random() < 0.1:
                try:
                    found[variable.name] = random.randbytes(4 * random.choice((0, 0, 1, 2, 3, 8, 31)))
                except ValueError:
                    return
            return
        options = [(o.head >> 16, o.head >> 8 & 0xFF, self._option(stack, o)) for o in stack.variable.options.options]
        random.shuffle(options)
        if random.random() < 0.3:
            options.insert(
                random.randrange(len(options) + 1), (random.getrandbits(16), random.choice((1, 0x80, 2)), bytes(4))
            )
        if random.random() < 0.1 and options:
            options.pop(random.randrange(len(options)))
        if random.random() < 0.1 and options:
            class_, type_, data = options.pop(random.randrange(len(options)))
            options.append((class_ ^ random.choice((0, 1)), type_ ^ random.choice((0, 0x80)), data + bytes(4)))
        if random.random() < 0.05 and options:
            options.append(random.choice(options))
        found[variable.name] = options

    def _option(self, stack: ir.Stack, option: ir.Option) -> bytes:
        size, random = 4 * option.words, self.random
        for decapsulation, _ in self.arriving:
            for found in _lookups(decapsulation):
                if isinstance(found.key, ir.ReceivedOption) and found.key.member == option.member:
                    keys = self._keys(found)
                    if keys and random.random() < 0.9:
                        return random.choice(keys).to_bytes(size, "big")
        if isinstance(option.source, ir.Literal) and random.random() < 0.9:
            return option.source.value.to_bytes(size, "big")
        return random.randbytes(size)

    def _disordered(self, given: list[tuple[str, dict[str, FieldValue]]]) -> list[tuple[str, Mapping[str, FieldValue]]]:
        found: list[tuple[str, Mapping[str, FieldValue]]] = list(given)
        at = self.random.randrange(len(found))
        names = sorted(n for n in headers() if n not in SIZES)
        change = self.random.choice(("missing", "twice", "other"))
        if change == "missing" and at:
            found.pop(at)
        elif change == "twice":
            found.insert(at, found[at])
        else:
            found.insert(at + 1, (self.random.choice(names), {}))
        return found

    def _limited(self, datagram: bytes) -> bytes:
        """An IPv6 datagram with a tunnel encapsulation limit, sometimes a wrong one."""
        option = bytes([datagram[6]]) + LIMIT
        if self.random.random() < 0.3:
            option = self.near.flipped(option)
        length = min(int.from_bytes(datagram[4:6], "big") + 8, 0xFFFF)
        return datagram[:4] + length.to_bytes(2, "big") + b"\x3c" + datagram[7:40] + option + datagram[40:]

    def _tagged(self, datagram: bytes, stack: ir.Stack) -> bytes:
        """A tag in the inner frame, of VLAN 0 or another. The lengths do not always fit then."""
        layer = next(x for x in stack.layers if x.header == "ethernet")
        at = layer.offset + 12
        control = self.random.choice((0, 0x2000, 0xE000, 1, 0x0FFF))
        tag = self.random.choice((b"\x81\x00", b"\x88\xa8", b"\x81\x01")) + control.to_bytes(2, "big")
        changed = bytearray(datagram[:at] + tag + datagram[at:])
        for other in stack.layers:
            place = other.offset
            for word in other.words:
                if any(isinstance(p.source, ir.LengthFrom) for p in word.parts) and self.random.random() < 0.97:
                    number = int.from_bytes(changed[place : place + 2], "big") + 4 & 0xFFFF
                    changed[place : place + 2] = number.to_bytes(2, "big")
                place += word.bits // 8
        if stack.outer_family == "ipv4" and self.random.random() < 0.97:
            _mend(changed)
        return bytes(changed)


def _mend(datagram: bytearray) -> None:
    from .inner import checksum

    datagram[10:12] = b"\0\0"
    datagram[10:12] = checksum(bytes(datagram[:20])).to_bytes(2, "big")

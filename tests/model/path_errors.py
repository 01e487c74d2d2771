"""ICMP errors of routers about what a program sends, right or wrong in one thing."""

from __future__ import annotations

from random import Random

from encap_compile.compile import ir
from encap_compile.compile.model import Facts

from .inner import checksum
from .near import Near

SIZES = {"ipv4": 4, "ipv6": 16}
MAPPED = bytes(10) + b"\xff\xff"
MTUS = (0, 68, 551, 552, 1279, 1280, 1281, 1300, 1330, 1350, 1400, 1450, 1499, 1500, 9000)
LENGTHS = (0, 100, 1301, 1400, 1500, 1501, 9000)


class PathErrors:
    """Draws errors for a program that learns path MTUs."""

    def __init__(self, random: Random, near: Near, paths: ir.Paths, facts: Facts) -> None:
        self.random, self.near, self.paths, self.facts = random, near, paths, facts

    def draw(self) -> tuple[str, bytes]:
        """The outer family and the packet."""
        random = self.random
        family = random.choice(self.paths.families)
        size = SIZES[family]
        own = [a[-size:] for a in self.facts.own if self._family(a) == family]
        source = random.choice(own) if own and random.random() < 0.95 else self.near.address(family)
        destination = self._endpoint(family) if random.random() < 0.92 else self.near.address(family)
        signature = random.choice(self.paths.own.signatures)
        protocol = random.choice(signature.protocols) if random.random() < 0.95 else random.getrandbits(8)
        first, last = self.paths.ports or (0, 65535)
        sport = random.choice((first, last, first, last, first - 1 & 0xFFFF, last + 1 & 0xFFFF))
        port = signature.port.number if signature.port else random.getrandbits(16)
        ports = sport.to_bytes(2, "big") + (port if random.random() < 0.95 else port ^ 1).to_bytes(2, "big")
        quote = self._head(family, source, destination, protocol, random.choice(LENGTHS)) + ports
        quote += random.randbytes(random.choice((0, 3, 4, 4, 4, 5, 40, 500)))
        mtu = random.choice(MTUS)
        to = source if random.random() < 0.95 else self.near.address(family)
        return family, self._error(family, to, mtu, quote)

    @staticmethod
    def _family(address: bytes) -> str:
        return "ipv4" if address.startswith(MAPPED) else "ipv6"

    def _endpoint(self, family: str) -> bytes:
        endpoint = self.random.choice(self.paths.own.endpoints)
        match endpoint:
            case ir.EndpointMap(map=map_):
                known = [a[-SIZES[family] :] for a in self.facts.sets.get(map_, ()) if self._family(a) == family]
                prefixes = [p for p in self.facts.prefixes.get(map_, ()) if f"ipv{p.version}" == family]
            case ir.EndpointPrefixes(prefixes=listed):
                known, prefixes = [], [p for p in listed if f"ipv{p.version}" == family]
            case ir.EndpointAddress(family=only, source=ir.FromHost(member=member)) if only == family:
                value = self.facts.host[member]
                known, prefixes = [value if isinstance(value, bytes) else value.to_bytes(SIZES[family], "big")], []
            case _:
                known, prefixes = [], []
        if prefixes:
            return self.near.within(self.random.choice(prefixes))
        return self.random.choice(known) if known else self.near.address(family)

    def _head(self, family: str, source: bytes, destination: bytes, protocol: int, length: int) -> bytes:
        if family == "ipv4":
            first = 0x45 if self.random.random() < 0.97 else 0x46
            fragment = self.random.choice((0x4000, 0x4000, 0x4000, 0, 0x2000, 0x2001))
            head = bytes((first, 0)) + length.to_bytes(2, "big") + bytes(2) + fragment.to_bytes(2, "big")
            return head + bytes((63, protocol, 0, 0)) + source + destination
        payload = max(length - 40, 0)
        return bytes.fromhex("60000000") + payload.to_bytes(2, "big") + bytes((protocol, 63)) + source + destination

    def _error(self, family: str, to: bytes, mtu: int, quote: bytes) -> bytes:
        kind = b"\3\4" if family == "ipv4" else b"\2\0"
        if self.random.random() < 0.04:
            kind = self.random.choice((b"\3\1", b"\x0b\0", b"\1\0", b"\2\1"))
        message = kind + bytes(2) + mtu.to_bytes(4, "big") + quote
        router = self.near.address(family)
        if family == "ipv4":
            length = (20 + len(message)).to_bytes(2, "big")
            head = bytes((0x45, 0)) + length + bytes(4) + bytes((60, 1, 0, 0)) + router + to
            pseudo = b""
        else:
            head = bytes.fromhex("60000000") + len(message).to_bytes(2, "big") + bytes((58, 60)) + router + to
            pseudo = router + to + len(message).to_bytes(4, "big") + bytes((0, 0, 0, 58))
        right = checksum(pseudo + message + bytes(len(message) & 1))
        if self.random.random() < 0.04:
            right ^= 1
        return head + message[:2] + right.to_bytes(2, "big") + message[4:]

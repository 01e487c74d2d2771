"""IP packets of every shape: as bytes, without a library, so that there are thousands a second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Protocol

from .near import PROTOCOLS, Near

TCP, UDP, SCTP, ICMP, ICMPV6 = 6, 17, 132, 1, 58
EXTENSIONS = (0, 43, 60)


@dataclass
class Inner:
    """A packet to be made. `extensions` are IPv6 extension headers before a fragment header, `options` bytes of IPv4
    options. `offset` in units of 8 bytes; `identification` makes it a fragment."""

    family: str
    source: bytes
    destination: bytes
    protocol: int
    source_port: int = 0
    destination_port: int = 0
    tos: int = 0
    ttl: int = 63
    flags: int = 0x10
    tcp_options: bytes = b""
    payload: bytes = b""
    identification: bytes = b""
    offset: int = 0
    more: bool = False
    extensions: tuple[int, ...] = ()
    extension_size: int = 0
    options: bytes = b""
    mark: int = 0
    icmp: bytes = b""

    def answered(self) -> Inner:
        """As what answers it shows itself: no fragment."""
        return replace(
            self,
            source=self.destination,
            destination=self.source,
            source_port=self.destination_port,
            destination_port=self.source_port,
            identification=b"",
            offset=0,
            more=False,
        )

    def bytes(self) -> bytes:
        body = self.payload if self.offset else _transport(self) + self.payload
        return _ipv4(self, body) if self.family == "ipv4" else _ipv6(self, body)


def _transport(inner: Inner) -> bytes:
    ports = inner.source_port.to_bytes(2, "big") + inner.destination_port.to_bytes(2, "big")
    if inner.protocol == TCP:
        options = inner.tcp_options[:40]
        options += bytes(-len(options) % 4)
        return (
            ports
            + b"\1\2\3\4\5\6\7\x08"
            + bytes([(5 + len(options) // 4) << 4, inner.flags])
            + b"\xff\xff\x12\x34\0\0"
            + options
        )
    if inner.protocol == UDP:
        return ports + (8 + len(inner.payload)).to_bytes(2, "big") + b"\x56\x78"
    if inner.protocol == SCTP:
        return ports + bytes(8)
    return inner.icmp if inner.protocol in (ICMP, ICMPV6) else b""


def checksum(data: bytes) -> int:
    total = sum(int.from_bytes(data[i : i + 2].ljust(2, b"\0"), "big") for i in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _ipv4(inner: Inner, body: bytes) -> bytes:
    options = inner.options[:40] + bytes(-len(inner.options[:40]) % 4)
    size = 20 + len(options)
    fragment = inner.offset | (0x2000 if inner.more else 0)
    identification = (inner.identification or b"\0\1")[:2]
    head = bytearray(
        bytes([0x40 | size // 4, inner.tos])
        + (size + len(body)).to_bytes(2, "big")
        + identification
        + fragment.to_bytes(2, "big")
        + bytes([inner.ttl, inner.protocol, 0, 0])
        + inner.source
        + inner.destination
        + options
    )
    head[10:12] = checksum(bytes(head)).to_bytes(2, "big")
    return bytes(head) + body


def _ipv6(inner: Inner, body: bytes) -> bytes:
    following, chain = inner.protocol, b""
    if inner.identification or inner.offset or inner.more:
        word = inner.offset << 3 | inner.more
        chain = bytes([following, 0]) + word.to_bytes(2, "big") + inner.identification.rjust(4, b"\0")
        following = 44
    for kind in reversed(inner.extensions):
        chain = bytes([following, inner.extension_size]) + b"\1\4" + bytes(4 + 8 * inner.extension_size) + chain
        following = kind
    return (
        (6 << 28 | inner.tos << 20 | 0x12345).to_bytes(4, "big")
        + (len(chain) + len(body)).to_bytes(2, "big")
        + bytes([following, inner.ttl])
        + inner.source
        + inner.destination
        + chain
        + body
    )


class Aim(Protocol):
    def meet(self, random: Random, near: Near, inner: Inner) -> Inner:
        """The packet, changed so that it meets what is asked for."""


class Inners:
    """Draws inner packets; some belong to a flow of before, its answers, its fragments or the errors about it."""

    def __init__(self, random: Random, near: Near) -> None:
        self.random, self.near = random, near
        self.recent: list[Inner] = []

    def remember(self, inner: Inner) -> None:
        """What came in may be answered, or go on."""
        self.recent.append(inner)
        del self.recent[:-64]

    def draw(self, answers: float, aims: Sequence[Aim] = ()) -> Inner:
        """`aims`: what rules ask for, one of which most packets meet, or nearly."""
        random = self.random
        inner = self._fresh()
        if aims and random.random() < 0.75:
            inner = random.choice(aims).meet(random, self.near, inner)
            if random.random() < 0.25:
                inner = self._missed(inner)
        if self.recent and random.random() < answers:
            known = random.choice(self.recent)
            known = known.answered() if random.random() < 0.7 else known
            inner = replace(
                known,
                tos=inner.tos,
                ttl=inner.ttl,
                payload=inner.payload,
                flags=inner.flags,
                tcp_options=inner.tcp_options,
                extensions=inner.extensions if known.family == "ipv6" else (),
                options=inner.options,
            )
            if random.random() < 0.1:
                inner = self._error(inner)
        if random.random() < 0.15:
            inner = self._fragmented(inner)
        return inner

    def _fresh(self) -> Inner:
        random, near = self.random, self.near
        family = random.choice(("ipv4", "ipv6"))
        protocol = random.choice(PROTOCOLS)
        pool = near.numbers["protocol"]
        if pool and random.random() < 0.4:
            protocol = near.number("protocol")
        if protocol in (ICMP, ICMPV6):
            protocol = ICMP if family == "ipv4" else ICMPV6
        inner = Inner(
            family,
            near.address(family, "source"),
            near.address(family, "destination"),
            protocol,
            near.number("source_port"),
            near.number("destination_port"),
            tos=near.number("dscp") << 2 | random.getrandbits(2),
            ttl=random.choice((1, 63, 64, 254, 255)),
            payload=random.randbytes(random.choice((0, 1, 8, 18, 40, 100, 257))),
            mark=near.number("mark"),
            icmp=self._icmp(family),
        )
        if family == "ipv6" and random.random() < 0.06:  # neighbour discovery, or nearly
            inner.protocol, inner.ttl = ICMPV6, random.choice((255, 255, 254))
            inner.icmp = bytes([random.choice((132, 133, 135, 136, 137, 138)), 0, 0, 0]) + bytes(20)
            return inner
        if random.random() < 0.15:  # which says how long segments may be
            inner.protocol, inner.flags = TCP, random.choice((2, 2, 0x12))
            inner.tcp_options = random.choice((b"\2\4\5\xb4", b"\1\2\4\x22\x88", b"\4\2\2\4\5\xb4\1\3\3\7"))
            inner.payload = b""
            return inner
        if protocol == TCP:
            inner.flags = random.choice((0x02, 0x12, 0x10, 0x18, 0x11, 0x04, 0x02, 0x12, random.getrandbits(8)))
            inner.tcp_options = self._tcp_options()
        if random.random() < 0.08:
            inner.payload = random.randbytes(random.randint(1300, 1480))  # about the MTU
        if random.random() < 0.06:  # about what hosts rely on, in UDP and the like
            size = random.choice((552, 553, 1280, 1281))
            inner.payload = random.randbytes(size - (28 if family == "ipv4" else 48))
        if family == "ipv6" and random.random() < 0.2:
            inner.extensions = tuple(random.choice(EXTENSIONS) for _ in range(random.choice((1, 1, 2, 3, 5, 6, 7, 8))))
            inner.extension_size = random.choice((0, 0, 0, 1, 3))
        if family == "ipv4" and random.random() < 0.1:
            inner.options = random.randbytes(random.choice((4, 8, 40)))
        return inner

    def _missed(self, inner: Inner) -> Inner:
        """The same but for one thing."""
        near, family = self.near, inner.family
        other = self._fresh()
        what = self.random.choice(
            ("source", "destination", "source_port", "destination_port", "protocol", "mark", "tos")
        )
        if what in ("source", "destination"):
            value: object = near.address(family, what)
        else:
            value = getattr(other, what)
        return replace(inner, **{what: value})  # type: ignore[arg-type]

    def _icmp(self, family: str) -> bytes:
        kinds = (0, 8, 3, 11, 12, 5) if family == "ipv4" else (128, 129, 1, 2, 3, 133, 134, 135, 136, 137, 138, 132)
        return bytes([self.random.choice(kinds), 0]) + b"\xaa\xbb" + self.random.choice((b"\0\7\0\1", b"\1\0\0\2"))

    def _tcp_options(self) -> bytes:
        random, found = self.random, b""
        for _ in range(random.choice((0, 1, 1, 1, 2, 3, 5))):
            size = random.choice((536, 1220, 1360, 1400, 1430, 1440, 1460, 8960, 65535, random.getrandbits(16)))
            found += random.choice(
                (
                    b"\2\4" + size.to_bytes(2, "big"),
                    b"\2\4" + size.to_bytes(2, "big"),
                    b"\1",
                    b"\3\3\7",
                    b"\x08\x0a" + bytes(8),
                    b"\4\2",
                    b"\x1d\x04\1\1",  # TCP-AO
                    b"\x13\x12" + bytes(16),  # MD5
                    b"\0",
                    b"\2\3\5",
                    random.randbytes(3),
                )
            )
        return found

    def _fragmented(self, inner: Inner) -> Inner:
        random = self.random
        return replace(
            inner,
            identification=random.choice((b"\0\1\0\2", b"\0\3\0\4", b"\0\1\0\3", random.randbytes(4))),
            offset=random.choice((0, 0, 1, 9, 185, 8191)),
            more=random.random() < 0.8,
        )

    def _error(self, inner: Inner) -> Inner:
        """An ICMP error about a packet of the other direction."""
        quoted = inner.answered().bytes()[: self.random.choice((8, 20, 28, 40, 48, 60, 100))]
        kind = self.random.choice((3, 11, 12, 5) if inner.family == "ipv4" else (1, 2, 3, 4, 127, 200))
        icmp = bytes([kind, 0]) + b"\xaa\xbb" + bytes(4) + quoted
        protocol = ICMP if inner.family == "ipv4" else ICMPV6
        return replace(inner, protocol=protocol, icmp=icmp, payload=b"", source_port=0, destination_port=0)

"""Inner packets by scapy: every shape that a rule or a header must cope with."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_RR
from scapy.layers.inet6 import (
    ICMPv6EchoRequest,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
)
from scapy.layers.l2 import Ether
from scapy.packet import Raw

SOURCES = {4: "10.0.0.1", 6: "fd00:10::1"}
PEER_MAC = "02:00:00:00:00:01"


def ip(source: str, destination: str, tos: int = 0, **more: Any) -> Any:
    """An IP header of the addresses' family; `tos` is DSCP and ECN."""
    if ":" in destination:
        return IPv6(src=source, dst=destination, tc=tos, hlim=more.pop("ttl", 63), **more)
    return IP(src=source, dst=destination, tos=tos, ttl=more.pop("ttl", 63), **more)


def frame(packet: bytes | Any, type_: int = 0) -> bytes:
    """As it is on our device; the type is the packet's unless it is given."""
    data = bytes(packet)
    return (
        bytes(Ether(src=PEER_MAC, dst="02:00:00:00:00:02", type=type_ or (0x0800 if data[0] >> 4 == 4 else 0x86DD)))
        + data
    )


_Builder = Callable[[Any], Any]
_UDP = UDP(sport=1234, dport=7000)
_TRANSPORTS: dict[str, _Builder] = {
    "tcp": lambda head: head / TCP(sport=1000, dport=7000, flags="S", options=[("MSS", 1200)]),
    "tcp-odd": lambda head: head / TCP(sport=1000, dport=7000, flags="PA") / Raw(b"x" * 101),
    "udp-empty": lambda head: head / _UDP,
    "udp-odd": lambda head: head / _UDP / Raw(b"\xff"),
    "udp-long": lambda head: head / _UDP / Raw(bytes(range(256)) * 5),
}
IPV4: dict[str, _Builder] = {
    **_TRANSPORTS,
    "icmp": lambda head: head / ICMP() / Raw(b"ping"),
    "options": lambda head: _with(head, options=[IPOption_RR()]) / _UDP / Raw(b"options"),
    "first-fragment": lambda head: _with(head, flags="MF", id=7) / _UDP / Raw(b"f" * 64),
    "later-fragment": lambda head: _with(head, frag=9, id=7, proto=17) / Raw(b"l" * 63),
    "esp": lambda head: _with(head, proto=50) / Raw(b"sealed"),
    "header-only": lambda head: _with(head, proto=59),
}
IPV6: dict[str, _Builder] = {
    **_TRANSPORTS,
    "icmp6": lambda head: head / ICMPv6EchoRequest(data=b"ping"),
    "hop-by-hop": lambda head: head / IPv6ExtHdrHopByHop() / _UDP / Raw(b"h"),
    "chain": lambda head: (
        head / IPv6ExtHdrHopByHop() / IPv6ExtHdrRouting(type=4) / IPv6ExtHdrDestOpt() / _UDP / Raw(b"c")
    ),
    "first-fragment": lambda head: head / IPv6ExtHdrFragment(nh=17, m=1, id=7) / _UDP / Raw(b"f" * 64),
    "later-fragment": lambda head: head / IPv6ExtHdrFragment(nh=17, offset=9, id=7) / Raw(b"l" * 63),
    "esp": lambda head: _with(head, nh=50) / Raw(b"sealed"),
    "header-only": lambda head: _with(head, nh=59),
}


def _with(head: Any, **fields: Any) -> Any:
    changed = head.copy()
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


SHAPES = {4: IPV4, 6: IPV6}


@cache
def packet(shape: str, source: str, destination: str, tos: int = 0) -> bytes:
    """A packet of that shape, its lengths and checksums by scapy."""
    family = 6 if ":" in destination else 4
    return bytes(SHAPES[family][shape](ip(source, destination, tos)))


def sized(source: str, destination: str, length: int, tos: int = 0) -> bytes:
    """A UDP packet of `length` bytes from the IP header on."""
    head = ip(source, destination, tos)
    return bytes(head / _UDP / Raw(bytes(i & 0xFF for i in range(length - len(bytes(head)) - len(_UDP)))))

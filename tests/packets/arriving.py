"""Tunnel packets as the peer sends them to us, right and wrong ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import HBHOptUnknown, IPv6, IPv6ExtHdrDestOpt
from scapy.layers.l2 import GRE, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

from .datapath import MAC, OWN
from .inner import frame
from .ways import ETHER_TYPE, PROTOCOL, Way

INGRESS_RULES = {
    ("vxlan-overlay", "vxlan"): "peers",
    ("ipip-sites", "ipip"): "peers",
    ("gre-tenants", "gre"): "gateways",
    ("two-by-row", "ipip"): "from-exits",
    ("two-by-row", "gre"): "from-gre",
}
OVERLAY = {4: ("10.1.2.3", "10.0.0.1"), 6: ("fd00:10:1::9", "fd00:10::1")}  # inner source, inner destination


def received(way: Way, inner: bytes, tos: int = 0) -> Any:
    """The datagram as scapy layers, to be changed by a test before it is sent."""
    next_ = {"vxlan": 17, "gre": 47, "ipip": PROTOCOL[inner[0] >> 4]}[way.kind]
    if way.outer == 4:
        outer = IP(tos=tos, id=77, flags=0, ttl=57, proto=next_, src=way.remote, dst=OWN[4])
    else:
        outer = IPv6(tc=tos, fl=0x12345, nh=next_, hlim=57, src=way.remote, dst=OWN[6])
    if way.kind == "ipip":
        return outer / Raw(inner)
    type_ = ETHER_TYPE[inner[0] >> 4]
    if way.kind == "gre":
        return outer / GRE(key_present=1, key=way.identifier, proto=type_) / Raw(inner)
    ether = Ether(dst=MAC, src="02:00:00:00:99:99", type=type_)
    vxlan = VXLAN(flags=8, reserved1=0x123456, vni=way.identifier, reserved2=0x78)
    return outer / UDP(sport=54321, dport=4789, chksum=0) / vxlan / ether / Raw(inner)


def arriving(way: Way, inner: bytes, change: Callable[[Any], Any] | None = None, tos: int = 0) -> bytes:
    """The frame that comes in, after `change` has had the layers."""
    datagram = received(way, inner, tos)
    if change is not None:
        changed = change(datagram)
        datagram = datagram if changed is None else changed
    return frame(bytes(datagram), ETHER_TYPE[way.outer])


def decapsulated_counter(way: Way) -> str:
    return "ingress_rule_" + INGRESS_RULES[way.example, way.kind].replace("-", "_")


def limited(given: bytes, limit: int = 4) -> bytes:
    """The same frame as Linux' ip6tnl and ip6gre send it: with a tunnel encapsulation limit (RFC 2473)."""
    return with_options(given, HBHOptUnknown(otype=4, optdata=bytes([limit])))


def with_options(given: bytes, *options: Any, **fields: Any) -> bytes:
    """The same frame with a destination options header behind its IPv6 header, which scapy pads."""
    ether, outer, rest = given[:14], bytearray(given[14:54]), given[54:]
    header = bytes(IPv6ExtHdrDestOpt(**{"nh": outer[6], "options": list(options), **fields}))
    outer[4:6] = min(int.from_bytes(outer[4:6], "big") + len(header), 0xFFFF).to_bytes(2, "big")
    outer[6] = 60
    return ether + bytes(outer) + header + rest

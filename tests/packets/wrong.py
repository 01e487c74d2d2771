"""What may be wrong with a tunnel packet, as changes to its layers, and the counter that must say so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scapy.layers.inet import IP, UDP, IPOption_NOP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop
from scapy.layers.l2 import GRE, Dot1Q, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

from .ways import Way

OTHERS = "left alone"  # not ours to check: passes as it is, and nothing counts it


@dataclass(frozen=True)
class Wrong:
    """`reason` is the counter's last part, or OTHERS."""

    name: str
    kinds: tuple[str, ...]
    outer: tuple[int, ...]
    reason: str
    change: Callable[[Any], Any]

    def __str__(self) -> str:
        return self.name

    def applies(self, way: Way) -> bool:
        return way.kind in self.kinds and way.outer in self.outer


ALL = ("vxlan", "ipip", "gre")
BOTH = (4, 6)


def setting(layer: Any, **fields: Any) -> Callable[[Any], None]:
    def change(datagram: Any) -> None:
        for name, value in fields.items():
            setattr(datagram[layer], name, value)

    return change


def _grown(layer: Any, field: str, by: int) -> Callable[[Any], Any]:
    """A length field that says something else than the truth; the header's checksum is right for it."""

    def change(datagram: Any) -> Any:
        built = datagram.__class__(bytes(datagram))
        setattr(built[layer], field, getattr(built[layer], field) + by)
        if IP in built and built[IP] is built.firstlayer():
            del built[IP].chksum
        return built

    return change


def _inserted(header: Any, protocol: int) -> Callable[[Any], Any]:
    """An IPv6 extension header between the outer header and what follows."""

    def change(datagram: Any) -> Any:
        rest = bytes(datagram.payload)
        header_ = header.copy()
        header_.nh = datagram.nh
        datagram.remove_payload()
        datagram.nh = protocol
        return datagram / header_ / Raw(rest)

    return change


def _payload(data: bytes) -> Callable[[Any], Any]:
    """Another inner packet than the headers announce."""

    def change(datagram: Any) -> Any:
        datagram[Raw].load = data + datagram[Raw].load[len(data) :]

    return change


def tagged(tags: Any, first: int = 0x8100, type_: int = 0) -> Callable[[Any], None]:
    """Tags in the inner frame; `first` is the outer one's protocol, `type_` what is said to follow."""

    def change(datagram: Any) -> None:
        ether = datagram[Ether]
        found = tags.copy()
        found.lastlayer().type = type_ or ether.type
        inner = ether.payload
        ether.remove_payload()
        ether.type = first
        ether.add_payload(found / inner)

    return change


def _version(datagram: Any) -> Any:
    data = bytes(datagram)
    return Raw(bytes([0x50 | data[0] & 15]) + data[1:])


def _header_length(words: int) -> Callable[[Any], Any]:
    return setting(IP, ihl=words)


WRONG = (
    # ---- not addressed to us, or not our stack: somebody else's
    Wrong("another destination", ALL, (4,), OTHERS, setting(IP, dst="192.0.2.78")),
    Wrong("another IPv6 destination", ALL, (6,), OTHERS, setting(IPv6, dst="2001:db8::78")),
    Wrong("another protocol", ALL, (4,), OTHERS, setting(IP, proto=132)),
    Wrong("another next header", ALL, (6,), OTHERS, setting(IPv6, nh=132)),
    Wrong("another port", ("vxlan",), BOTH, OTHERS, setting(UDP, dport=4790)),
    Wrong("swapped ports", ("vxlan",), BOTH, OTHERS, setting(UDP, dport=54321, sport=4789)),
    Wrong("later fragment of UDP", ("vxlan",), (4,), OTHERS, setting(IP, frag=3)),
    Wrong("hop-by-hop options", ALL, (6,), OTHERS, _inserted(IPv6ExtHdrHopByHop(), 0)),
    Wrong("fragment header", ALL, (6,), OTHERS, _inserted(IPv6ExtHdrFragment(m=1), 44)),
    Wrong("later fragment header", ALL, (6,), OTHERS, _inserted(IPv6ExtHdrFragment(offset=3), 44)),
    # ---- ours by its looks
    Wrong("unlisted source", ALL, (4,), "source", setting(IP, src="198.51.100.1")),
    Wrong("our own address as source", ALL, (4,), "source", setting(IP, src="192.0.2.77")),
    Wrong("unlisted IPv6 source", ALL, (6,), "source", setting(IPv6, src="2001:db8:ffff::1")),
    Wrong("first fragment", ALL, (4,), "fragment", setting(IP, flags="MF")),
    Wrong("later fragment", ("ipip", "gre"), (4,), "fragment", setting(IP, frag=3)),
    Wrong("options", ALL, (4,), "options", setting(IP, options=[IPOption_NOP()] * 4)),
    Wrong("header length 4", ("ipip", "gre"), (4,), "options", _header_length(4)),
    Wrong("header length 0", ("ipip", "gre"), (4,), "options", _header_length(0)),
    Wrong("header checksum", ALL, (4,), "header_checksum", setting(IP, chksum=0xBAD)),
    Wrong("zero header checksum", ALL, (4,), "header_checksum", setting(IP, chksum=0)),
    Wrong("IPv6 version", ALL, (6,), "version", _version),
    Wrong("total length over the frame", ALL, (4,), "length", _grown(IP, "len", 1)),
    Wrong("total length short of the inner packet", ("ipip", "gre"), (4,), "length", _grown(IP, "len", -1)),
    Wrong("total length that UDP contradicts", ("vxlan",), (4,), "length", _grown(IP, "len", -1)),
    Wrong("total length 0", ALL, (4,), "length", setting(IP, len=0)),
    Wrong("total length 20", ALL, (4,), "length", setting(IP, len=20)),
    Wrong("payload length over the frame", ALL, (6,), "length", _grown(IPv6, "plen", 1)),
    Wrong("payload length short of the inner packet", ALL, (6,), "length", _grown(IPv6, "plen", -1)),
    Wrong("payload length 0", ALL, (6,), "length", setting(IPv6, plen=0)),
    Wrong("payload length 65535", ALL, (6,), "length", setting(IPv6, plen=65535)),
    Wrong("UDP length 0", ("vxlan",), BOTH, "length", setting(UDP, len=0)),
    Wrong("UDP length short", ("vxlan",), BOTH, "length", setting(UDP, len=8)),
    Wrong("UDP length over", ("vxlan",), BOTH, "length", setting(UDP, len=65535)),
    Wrong("no I flag", ("vxlan",), BOTH, "vxlan_flags", setting(VXLAN, flags=0)),
    Wrong("all flags", ("vxlan",), BOTH, "vxlan_flags", setting(VXLAN, flags=0xFF)),
    Wrong("another VNI", ("vxlan",), BOTH, "vni", setting(VXLAN, vni=43)),
    Wrong("VNI 0", ("vxlan",), BOTH, "vni", setting(VXLAN, vni=0)),
    Wrong("highest VNI", ("vxlan",), BOTH, "vni", setting(VXLAN, vni=0xFFFFFF)),
    Wrong("inner MAC", ("vxlan",), BOTH, "ethernet_destination", setting(Ether, dst="02:00:00:00:00:78")),
    Wrong("inner ARP", ("vxlan",), BOTH, "payload", setting(Ether, type=0x0806)),
    Wrong("inner VLAN tag", ("vxlan",), BOTH, "vlan", tagged(Dot1Q(prio=3, vlan=1))),
    Wrong("highest inner VLAN", ("vxlan",), BOTH, "vlan", tagged(Dot1Q(vlan=4095))),
    Wrong("inner service VLAN", ("vxlan",), BOTH, "vlan", tagged(Dot1Q(vlan=256), 0x88A8)),
    Wrong("two inner tags", ("vxlan",), BOTH, "payload", tagged(Dot1Q(vlan=0) / Dot1Q(vlan=0))),
    Wrong("ARP behind a priority tag", ("vxlan",), BOTH, "payload", tagged(Dot1Q(vlan=0), type_=0x0806)),
    Wrong("another key", ("gre",), BOTH, "gre_key", setting(GRE, key=99)),
    Wrong("key 0", ("gre",), BOTH, "gre_key", setting(GRE, key=0)),
    Wrong("no key", ("gre",), BOTH, "gre_flags", setting(GRE, key_present=0)),
    Wrong("GRE checksum", ("gre",), BOTH, "gre_flags", setting(GRE, chksum_present=1)),
    Wrong("GRE sequence number", ("gre",), BOTH, "gre_flags", setting(GRE, seqnum_present=1)),
    Wrong("GRE routing", ("gre",), BOTH, "gre_flags", setting(GRE, routing_present=1)),
    Wrong("GRE version 1", ("gre",), BOTH, "gre_flags", setting(GRE, version=1)),
    Wrong("Ethernet in GRE", ("gre",), BOTH, "payload", setting(GRE, proto=0x6558)),
    Wrong("ERSPAN in GRE", ("gre",), BOTH, "payload", setting(GRE, proto=0x88BE)),
    Wrong("inner version", ALL, BOTH, "payload", _payload(b"\x55")),
    Wrong("no inner version", ALL, BOTH, "payload", _payload(b"\0")),
)

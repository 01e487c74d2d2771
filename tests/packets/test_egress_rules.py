"""Which packets the examples' egress rules choose, and what becomes of the others: passed as they are, or dropped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (
    ICMPv6EchoRequest,
    ICMPv6MLReport2,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6ND_RA,
    ICMPv6ND_Redirect,
    ICMPv6ND_RS,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrHopByHop,
)
from scapy.layers.l2 import ARP, GRE
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

from .datapath import OWN, Datapath
from .inner import frame

Load = Callable[[str], Datapath]
VXLAN_SPEC, IPIP_SPEC, GRE_SPEC, TWO_SPEC = "vxlan-overlay", "ipip-sites", "gre-tenants", "two-by-row"


@dataclass(frozen=True)
class Left:
    """A packet that stays as it is: `counter` without `egress_`."""

    example: str
    name: str
    packet: Any
    verdict: str
    counter: str
    mark: int = 0
    type: int = 0

    def __str__(self) -> str:
        return f"{self.example}: {self.name}"


def to(destination: str, source: str = "", **more: Any) -> Any:
    if ":" in destination:
        return IPv6(src=source or "fd00:10::1", dst=destination, **more)
    return IP(src=source or "10.0.0.1", dst=destination, **more)


TCP_80, UDP_7 = TCP(dport=80), UDP(dport=7000)
DISCOVERY = {
    "router solicitation": ICMPv6ND_RS(),
    "router advertisement": ICMPv6ND_RA(),
    "neighbour solicitation": ICMPv6ND_NS(tgt="fd00:10:1::9"),
    "neighbour advertisement": ICMPv6ND_NA(tgt="fd00:10:1::9"),
    "redirect": ICMPv6ND_Redirect(tgt="fd00:10:1::8", dst="fd00:10:1::9"),
}
OWN_STACKS = {
    VXLAN_SPEC: lambda ip: ip / UDP(sport=50000, dport=4789) / VXLAN(vni=42) / Raw(bytes(60)),
    IPIP_SPEC: lambda ip: ip / IP(src="10.0.0.1", dst="10.1.0.1") / UDP_7,
    GRE_SPEC: lambda ip: ip / GRE(key_present=1, key=1001) / IP(dst="10.1.0.1") / UDP_7,
    TWO_SPEC: lambda ip: ip / GRE(key_present=1, key=7) / IP(dst="10.1.0.1") / UDP_7,
}
# Outer destinations of the examples' rows.
ENDS = {
    VXLAN_SPEC: {4: "192.0.2.10", 6: "2001:db8::30"},
    IPIP_SPEC: {4: "192.0.2.10", 6: "2001:db8::20"},
    GRE_SPEC: {4: "192.0.2.1", 6: "2001:db8:1::2"},
    TWO_SPEC: {4: "192.0.2.1", 6: "2001:db8::4"},
}
# Destination and mark of a packet that a rule would choose.
CHOSEN = {
    VXLAN_SPEC: ("10.1.2.3", 0),
    IPIP_SPEC: ("10.1.2.3", 0),
    GRE_SPEC: ("10.1.2.3", 0x1001),
    TWO_SPEC: ("10.1.2.3", 0),
}
CHOSEN_6 = {VXLAN_SPEC: "fd00:10:1::9", IPIP_SPEC: "fd00:10:1::9", GRE_SPEC: "fd00:1::9", TWO_SPEC: "fd00:10:1::9"}

CASES = [
    Left(VXLAN_SPEC, "another destination", to("192.0.2.200") / TCP_80, "pass", "default"),
    Left(VXLAN_SPEC, "beside the prefix", to("11.0.0.0") / TCP_80, "pass", "default"),
    Left(VXLAN_SPEC, "below the prefix", to("9.255.255.255") / TCP_80, "pass", "default"),
    Left(VXLAN_SPEC, "another IPv6 destination", to("fd00:11::1") / TCP_80, "pass", "default"),
    Left(VXLAN_SPEC, "mapped, but IPv6", to("::ffff:10.1.2.3") / TCP_80, "pass", "default"),
    Left(VXLAN_SPEC, "no row", to("10.200.0.1") / UDP_7, "drop", "miss_sites"),
    Left(VXLAN_SPEC, "no row for IPv6", to("fd00:10:9::1") / UDP_7, "drop", "miss_sites"),
    Left(VXLAN_SPEC, "no row for the first rule", to("10.200.0.1") / TCP(dport=443), "drop", "miss_web"),
    Left(VXLAN_SPEC, "dropped by a rule", to("10.99.0.1", "10.9.1.1") / UDP_7, "drop", "rule_lab"),
    Left(
        VXLAN_SPEC,
        "dropped although encapsulated later",
        to("10.99.0.1", "10.9.1.1") / TCP(dport=80),
        "drop",
        "rule_lab",
    ),
    Left(IPIP_SPEC, "another destination", to("192.0.2.200") / TCP_80, "pass", "default"),
    Left(IPIP_SPEC, "no row", to("10.3.0.1") / UDP_7, "drop", "miss_sites"),
    Left(IPIP_SPEC, "no row for IPv6", to("fd00:10:ffff::1") / UDP_7, "drop", "miss_sites"),
    Left(GRE_SPEC, "no mark", to("10.1.2.3") / UDP_7, "pass", "default"),
    Left(GRE_SPEC, "a mark below", to("10.1.2.3") / UDP_7, "pass", "default", 0xFFF),
    Left(GRE_SPEC, "a mark above", to("10.1.2.3") / UDP_7, "pass", "default", 0x2000),
    Left(GRE_SPEC, "a mark without rows", to("10.1.2.3") / UDP_7, "drop", "miss_tenants", 0x1003),
    Left(GRE_SPEC, "beside the prefix", to("10.1.3.3") / UDP_7, "drop", "miss_tenants", 0x1001),
    Left(GRE_SPEC, "another tenant's prefix", to("fd00:2::1") / UDP_7, "drop", "miss_tenants", 0x1001),
    Left(TWO_SPEC, "no rule", to("10.1.2.3") / UDP_7, "pass", "default"),
    Left(TWO_SPEC, "another dscp", to("10.1.2.3", tos=45 << 2) / UDP_7, "pass", "default"),
    Left(TWO_SPEC, "another protocol", to("10.1.2.3", tos=8 << 2) / ICMP(), "pass", "default"),
    Left(TWO_SPEC, "another source", to("10.1.2.3", "10.10.0.1") / UDP_7, "pass", "default"),
    *(
        Left(
            e,
            f"{name}",
            IPv6(src="fd00:10::1", dst=CHOSEN_6[e], hlim=255) / message,
            "pass",
            "link_local",
            CHOSEN[e][1],
        )
        for e in (VXLAN_SPEC, IPIP_SPEC, GRE_SPEC, TWO_SPEC)
        for name, message in DISCOVERY.items()
    ),
    *(
        Left(
            e,
            f"encapsulated by this host over IPv{v}",
            OWN_STACKS[e](to(ENDS[e][v], OWN[v])),
            "pass",
            "own_stack",
            CHOSEN[e][1],
        )
        for e in (VXLAN_SPEC, IPIP_SPEC, GRE_SPEC, TWO_SPEC)
        for v in (4, 6)
    ),
    *(
        Left(e, name, packet, "pass", "link_local", mark)
        for e, mark in ((GRE_SPEC, 0x1001),)
        for name, packet in {
            "link-local": to("169.254.1.1") / UDP_7,
            "all hosts": to("224.0.0.1") / UDP_7,
            "broadcast": to("255.255.255.255") / UDP_7,
            "IPv6 link-local": to("fe80::1") / UDP_7,
            "IPv6 link-local echo": to("febf:ffff::1") / ICMPv6EchoRequest(),
            "IPv6 all nodes": to("ff02::1") / UDP_7,
            "multicast listeners": to("ff02::16") / IPv6ExtHdrHopByHop() / ICMPv6MLReport2(),
        }.items()
    ),
    *(
        Left(e, name, packet, "pass", "other", 0x1001, type_)
        for e in (VXLAN_SPEC, IPIP_SPEC, GRE_SPEC, TWO_SPEC)
        for name, packet, type_ in (
            ("ARP", ARP(pdst="10.1.2.3"), 0x0806),
            ("LLDP", Raw(bytes(60)), 0x88CC),
            ("MPLS", Raw(bytes(60)), 0x8847),
            ("a tag within the frame", Raw(b"\x00\x05\x08\x00" + bytes(60)), 0x8100),
        )
    ),
    *(
        Left(e, name, Raw(packet), "drop", "malformed", CHOSEN[e][1], type_)
        for e in (VXLAN_SPEC, IPIP_SPEC, GRE_SPEC, TWO_SPEC)
        for name, packet, type_ in (
            ("version 5 as IPv4", b"\x55" + bytes(39), 0x0800),
            ("IPv6 as IPv4", bytes(to("fd00:10:1::9") / UDP_7), 0x0800),
            ("IPv4 as IPv6", bytes(to("10.1.2.3") / UDP_7 / Raw(bytes(40))), 0x86DD),
            ("header length 4", b"\x44" + bytes(to("10.1.2.3") / UDP_7)[1:], 0x0800),
        )
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_left_as_it_is(loaded: Load, case: Left) -> None:
    given = frame(case.packet, case.type)
    outcome = loaded(case.example).egress(given, mark=case.mark)
    assert outcome.counted == {f"egress_{case.counter}": (1, len(given) - 14)}
    assert (outcome.verdict, outcome.frame.hex(), outcome.mark) == (case.verdict, given.hex(), case.mark)


def test_discovery_behind_extension_headers(loaded: Load) -> None:
    packet = (
        IPv6(src="fd00:10::1", dst="fd00:10:1::9", hlim=255) / IPv6ExtHdrDestOpt() / ICMPv6ND_NS(tgt="fd00:10:1::9")
    )
    outcome = loaded(VXLAN_SPEC).egress(frame(packet))
    assert list(outcome.counted) == ["egress_link_local"]


def test_discovery_from_afar_is_none(loaded: Load) -> None:
    """RFC 4861, section 7.1: a message with another hop limit than 255 was forwarded, and is not discovery."""
    packet = IPv6(src="fd00:10::1", dst="fd00:10:1::9", hlim=254) / ICMPv6ND_NS(tgt="fd00:10:1::9")
    outcome = loaded(VXLAN_SPEC).egress(frame(packet))
    assert list(outcome.counted) == ["egress_rule_sites"]


@pytest.mark.parametrize("type_", [1, 128, 129, 132, 138, 143])
def test_other_icmpv6_is_no_discovery(loaded: Load, type_: int) -> None:
    packet = IPv6(src="fd00:10::1", dst="fd00:10:1::9", nh=58) / Raw(bytes([type_]) + bytes(31))
    outcome = loaded(VXLAN_SPEC).egress(frame(packet))
    assert list(outcome.counted) == ["egress_rule_sites"]


@pytest.mark.parametrize("example", [VXLAN_SPEC, IPIP_SPEC, GRE_SPEC])
def test_another_hosts_stack_is_a_packet_like_others(loaded: Load, example: str) -> None:
    destination, mark = CHOSEN[example]
    outcome = loaded(example).egress(frame(OWN_STACKS[example](to(destination, "192.0.2.78"))), mark=mark)
    assert outcome.counted.keys() & {"egress_rule_sites", "egress_rule_tenants"}
    assert not outcome.counted.keys() & {"egress_own_stack"}
    assert outcome.frame != frame(OWN_STACKS[example](to(destination, "192.0.2.78")))


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("example", [VXLAN_SPEC, IPIP_SPEC, GRE_SPEC])
def test_our_stack_to_no_tunnel_endpoint_is_a_packet_like_others(loaded: Load, example: str, version: int) -> None:
    """A process may send from our address to our port: only what a tunnel endpoint can take counts as encapsulated."""
    destination, mark = (CHOSEN[example][0] if version == 4 else CHOSEN_6[example]), CHOSEN[example][1]
    sent = frame(OWN_STACKS[example](to(destination, OWN[version])))
    outcome = loaded(example).egress(sent, mark=mark)
    assert outcome.counted.keys() & {"egress_rule_sites", "egress_rule_tenants"}
    assert not outcome.counted.keys() & {"egress_own_stack"}
    assert len(outcome.frame) > len(sent)

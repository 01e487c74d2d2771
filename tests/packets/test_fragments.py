"""Fragments of inner packets: a later one shows no ports, and must not leave in the clear where its first would not."""

from __future__ import annotations

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment
from scapy.packet import Raw

from .datapath import Datapath
from .inner import frame
from .specs import HEAD, Compile

SPEC = (
    HEAD
    + """
encapsulations: {ipip: [{ip: {source: host.address, destination: endpoint.to}}]}
endpoints:
  all: {key: destination, fields: {to: ip}, encapsulation: ipip, rows: [{destination: 0.0.0.0/0, to: 192.0.2.1},
    {destination: "::/0", to: 192.0.2.1}]}
egress:
  rules:
    - {name: open, match: {protocol: udp, destination_port: 53}, action: pass}
    - {name: web, match: {protocol: tcp, destination_port: [80, 443]}, to: all}
    - {name: closed, match: {protocol: udp, source_port: 9}, action: drop}
    - {name: odd, match: {protocol: 200}, action: drop}
  default: pass
"""
)

FOUR = {"src": "10.0.0.1", "dst": "10.0.0.2"}
SIX = {"src": "fd00::1", "dst": "fd00::2"}


def six(protocol: int, offset: int = 0, more: int = 0) -> IPv6:
    return IPv6(**SIX) / IPv6ExtHdrFragment(nh=protocol, offset=offset, m=more, id=9)


def _chain(length: int) -> IPv6:
    packet = IPv6(**SIX)
    for _ in range(length):
        packet = packet / IPv6ExtHdrDestOpt()
    return packet / UDP(sport=1, dport=53)


CASES = {
    # A rule that lets pass wants to see the ports; one that chooses takes what may have them.
    "dns": (IP(**FOUR) / UDP(sport=1, dport=53), "open"),
    "first fragment of dns": (IP(**FOUR, flags="MF") / UDP(sport=1, dport=53) / Raw(bytes(32)), "open"),
    "later fragment of UDP": (IP(**FOUR, frag=5, proto=17) / Raw(bytes(32)), "closed"),
    "web": (IP(**FOUR) / TCP(dport=443), "web"),
    "no web": (IP(**FOUR) / TCP(dport=444), "default"),
    "first fragment of web": (IP(**FOUR, flags="MF") / TCP(dport=80) / Raw(bytes(32)), "web"),
    "first fragment of no web": (IP(**FOUR, flags="MF") / TCP(dport=81) / Raw(bytes(32)), "default"),
    "later fragment of TCP": (IP(**FOUR, frag=5, proto=6) / Raw(bytes(32)), "web"),
    "last fragment of TCP, one byte": (IP(**FOUR, frag=8191, proto=6) / Raw(b"x"), "web"),
    "later fragment of SCTP": (IP(**FOUR, frag=5, proto=132) / Raw(bytes(32)), "default"),
    "TCP cut off before its ports": (IP(**FOUR, proto=6) / Raw(b"\0\x50\0"), "web"),
    "UDP cut off before its ports": (IP(**FOUR, proto=17) / Raw(b"\0\x50\0"), "closed"),
    "dns in IPv6": (IPv6(**SIX) / UDP(sport=1, dport=53), "open"),
    "first fragment of dns in IPv6": (six(17, more=1) / UDP(sport=1, dport=53) / Raw(bytes(32)), "open"),
    "later fragment of UDP in IPv6": (six(17, offset=5) / Raw(bytes(32)), "closed"),
    "first fragment of web in IPv6": (six(6, more=1) / TCP(dport=80) / Raw(bytes(32)), "web"),
    "later fragment of TCP in IPv6": (six(6, offset=5) / Raw(bytes(32)), "web"),
    "atomic fragment of web in IPv6": (six(6) / TCP(dport=80), "web"),
    "atomic fragment of no web in IPv6": (six(6) / TCP(dport=81), "default"),
    "later fragment of SCTP in IPv6": (six(132, offset=5) / Raw(bytes(32)), "default"),
    # Not to be read to the end: it may be anything, so the first rule that chooses takes it.
    "nine extension headers": (_chain(9), "web"),
    "six extension headers": (_chain(6), "open"),
    "chain cut off": (IPv6(**SIX, nh=60) / Raw(b"\x11\x00\x01"), "web"),
    "chain that ends beyond the packet": (IPv6(**SIX, nh=60) / Raw(b"\x11\xff\x01\x04" + bytes(4)), "closed"),
}


@pytest.mark.parametrize("name", CASES)
def test_fragments(compiled: Compile, name: str) -> None:
    packet, rule = CASES[name]
    given = frame(packet)
    with Datapath(compiled(SPEC)) as datapath:
        outcome = datapath.egress(given)
    assert list(outcome.counted) == ["egress_default" if rule == "default" else f"egress_rule_{rule}"]
    assert outcome.verdict == ("drop" if rule == "closed" else "pass")
    assert (outcome.frame == given) == (rule != "web")

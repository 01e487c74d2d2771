"""What does not fit is answered as a router answers it: scapy reads the answer. What must not be answered is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    ICMPv6EchoRequest,
    ICMPv6PacketTooBig,
    ICMPv6Unknown,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
)
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from .datapath import MTU, Datapath
from .inner import PEER_MAC, frame

Load = Callable[[str], Datapath]
EXAMPLE = "vxlan-overlay"
INNER = {4: ("10.0.0.5", "10.1.2.3"), 6: ("fd00:10::5", "fd00:10:1::9")}
BODY = Raw(bytes(range(256)) * 5 + bytes(170))
TOO_BIG = ("egress_too_big", "egress_answered")


def big(version: int, transport: Any, **head: Any) -> Any:
    """A packet of 1450 bytes or a little more, which fits the device only without its headers."""
    source, destination = INNER[version]
    found = {"src": source, "dst": destination} | head
    return (IP(**({"flags": "DF"} | found)) if version == 4 else IPv6(**found)) / transport / BODY


ANSWERED = {
    "tcp4": big(4, TCP(sport=1000, dport=443, seq=7, flags="A")),
    "udp4": big(4, UDP(sport=1000, dport=9000)),
    "ping4": big(4, ICMP(type="echo-request")),
    "esp4": big(4, Raw(b"sealed"), proto=50),
    "options4": big(4, UDP(sport=1000, dport=9000), options=[__import__("scapy.all").all.IPOption_NOP()] * 4),
    "tcp6": big(6, TCP(sport=1000, dport=443, seq=7, flags="A")),
    "udp6": big(6, UDP(sport=1000, dport=9000)),
    "ping6": big(6, ICMPv6EchoRequest()),
    "extension6": big(6, IPv6ExtHdrDestOpt() / UDP(sport=1000, dport=9000)),
    "first-fragment6": big(6, IPv6ExtHdrFragment(m=1, id=3) / UDP(sport=1000, dport=9000)),
}
UNANSWERED = {
    "without DF": big(4, UDP(sport=1000, dport=9000), flags=""),
    "a later fragment": big(4, Raw(bytes(8)), flags="DF", frag=9, proto=17),
    "a later fragment of IPv6": big(6, IPv6ExtHdrFragment(offset=9, id=3, nh=17)),
    "from a group": big(4, UDP(sport=1000, dport=9000), src="224.0.0.9"),
    "from this network": big(4, UDP(sport=1000, dport=9000), src="0.0.0.0"),
    "from the loopback": big(4, UDP(sport=1000, dport=9000), src="127.0.0.1"),
    "from nowhere": big(6, UDP(sport=1000, dport=9000), src="::"),
    "from a group of IPv6": big(6, UDP(sport=1000, dport=9000), src="ff0e::1"),
    "from the loopback of IPv6": big(6, UDP(sport=1000, dport=9000), src="::1"),
    **{f"ICMP error {t}": big(4, ICMP(type=t)) for t in (3, 4, 5, 11, 12)},
    "ICMPv6 error": big(6, ICMPv6DestUnreach()),
    "ICMPv6 too big": big(6, ICMPv6PacketTooBig()),
    "an unknown ICMPv6 error": big(6, ICMPv6Unknown(type=127)),
}


def _answer(outcome: Any) -> Any:
    assert outcome.verdict == "redirect"
    assert set(outcome.counted) == set(TOO_BIG)
    return Ether(outcome.frame)


@pytest.mark.parametrize("name", ANSWERED)
def test_answered(loaded: Load, name: str) -> None:
    packet = ANSWERED[name]
    given = frame(packet)
    overhead = {IP: 50, IPv6: 50}[type(packet)]
    made = _answer(loaded(EXAMPLE).egress(given, mark=0x77))
    assert (made.src, made.dst) == (Ether(given).dst, PEER_MAC)
    again = Ether(bytes(made))  # its own checksums are those that scapy finds
    error = again.getlayer(ICMP) or again.getlayer(ICMPv6PacketTooBig)
    for layer in (again.payload, error):
        for field in ("chksum", "cksum"):
            if layer.fields.get(field) is not None:
                delattr(layer, field)
    head = again.payload
    found = Ether(bytes(again))
    assert bytes(found)[:100].hex() == bytes(made)[:100].hex()
    assert (head.src, head.dst) == (packet.dst, packet.src)
    if isinstance(packet, IP):
        assert (error.type, error.code, error.nexthopmtu) == (3, 4, MTU - overhead)
        assert len(made) == 14 + 576
    else:
        assert (error.type, error.code, error.mtu) == (2, 0, MTU - overhead)
        assert len(made) == 14 + 1280
    quote = bytes(made)[-548 if isinstance(packet, IP) else -1232 :]
    assert _without_checksum(quote, packet) == _without_checksum(bytes(packet)[: len(quote)], packet)


def _checksum_at(packet: Any) -> int:
    for kind, where in ((TCP, 16), (UDP, 6)):
        if kind in packet:
            return len(packet) - len(packet[kind]) + where
    return 0


def _without_checksum(quote: bytes, packet: Any) -> bytes:
    at = _checksum_at(packet)
    return quote[:at] + quote[at + 2 :] if at else quote


@pytest.mark.parametrize("name", [n for n, p in ANSWERED.items() if TCP in p or UDP in p])
def test_a_checksum_that_is_filled_in_later(loaded: Load, name: str) -> None:
    """The kernel may still write the quoted checksum (CHECKSUM_PARTIAL): the answer's stays right."""
    packet = ANSWERED[name]
    made = _answer(loaded(EXAMPLE).egress(frame(packet)))
    data = bytearray(bytes(made))
    quote = len(data) - (548 if isinstance(packet, IP) else 1232)
    at = quote + _checksum_at(packet)
    transport = quote + len(packet) - len(packet[TCP] if TCP in packet else packet[UDP])
    data[at : at + 2] = (~_sum(bytes(data[transport:])) & 0xFFFF or 0xFFFF).to_bytes(2, "big")
    icmp = bytes(data[34:]) if isinstance(packet, IP) else _pseudo(bytes(data)) + bytes(data[54:])
    assert _sum(icmp) == 0xFFFF


def _pseudo(data: bytes) -> bytes:
    return data[22:54] + (len(data) - 54).to_bytes(4, "big") + (58).to_bytes(4, "big")


def _sum(data: bytes) -> int:
    total = sum(int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


@pytest.mark.parametrize("name", UNANSWERED)
def test_unanswered(loaded: Load, name: str) -> None:
    given = frame(UNANSWERED[name])
    outcome = loaded(EXAMPLE).egress(given)
    assert outcome.verdict == "drop"
    assert set(outcome.counted) <= {"egress_too_big", "egress_without_df", "egress_no_first_fragment"}
    assert outcome.counted["egress_too_big"][0] == 1
    may_be_fragmented = IP in UNANSWERED[name] and not UNANSWERED[name].flags.DF
    assert ("egress_without_df" in outcome.counted) == may_be_fragmented


def test_to_a_group_of_stations(loaded: Load) -> None:
    """A frame to many, whatever its IP destination."""
    given = bytearray(frame(ANSWERED["udp4"]))
    given[0] |= 1
    outcome = loaded(EXAMPLE).egress(bytes(given))
    assert (outcome.verdict, set(outcome.counted)) == ("drop", {"egress_too_big"})


def test_each_sender_has_a_limit_of_its_own(loaded: Load) -> None:
    datapath = loaded(EXAMPLE)
    first, second = (frame(big(4, UDP(sport=1, dport=9000), src=f"10.0.9.{n}")) for n in (1, 2))
    outcomes = [datapath.egress(first) for _ in range(600)]
    answered = [o.verdict for o in outcomes].count("redirect")
    limited = sum(o.counted.get("egress_answers_limited", (0, 0))[0] for o in outcomes)
    assert 100 <= answered < 600, "100 at once, and 100 a second"
    assert answered + limited == 600
    assert datapath.egress(second).verdict == "redirect", "another sender"
    assert datapath.egress(first, mark=9).verdict == "redirect", "another tenant's"

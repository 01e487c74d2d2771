"""What is wrong is not decapsulated: dropped and counted by its reason, or left alone if it is somebody else's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from scapy.layers.l2 import ARP
from scapy.packet import Raw

from .arriving import OVERLAY, arriving
from .datapath import Datapath
from .inner import frame, packet
from .test_decapsulate import ACCEPTED
from .ways import ETHER_TYPE, WAYS, Way
from .wrong import OTHERS, WRONG, Wrong

Load = Callable[[str], Datapath]
EVERY_WAY = pytest.mark.parametrize("way", ACCEPTED, ids=str)


def refused(loaded: Load, way: Way, given: bytes, reason: str, **context: int) -> None:
    """Dropped as it was, with one counter and no other."""
    outcome = loaded(way.example).ingress(given, mark=5, **context)
    expected = {f"refused_{way.kind}__{reason}": (context.get("gso_segs") or 1, len(given) - 14)}
    assert outcome.counted == ({} if reason == OTHERS else expected)
    assert outcome.verdict == ("pass" if reason == OTHERS else "drop")
    assert outcome.frame.hex() == given.hex()
    assert outcome.mark == 5


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_wrong(loaded: Load, wrong: Wrong) -> None:
    ways = [w for w in ACCEPTED if wrong.applies(w)]
    assert ways
    for way in ways:
        inner = packet("udp-long", *OVERLAY[way.inner])
        refused(loaded, way, arriving(way, inner, wrong.change), wrong.reason)


@EVERY_WAY
def test_an_inner_packet_longer_than_the_datagram(loaded: Load, way: Way) -> None:
    inner = bytearray(packet("udp-odd", *OVERLAY[way.inner]))
    inner[3 if way.inner == 4 else 5] += 1
    refused(loaded, way, arriving(way, bytes(inner)), "length")


@EVERY_WAY
def test_super_packets(loaded: Load, way: Way) -> None:
    """Refused: a GSO packet of whole tunnel packets, datagrams to be split out of UDP, what cannot be shortened."""
    inner = packet("udp-long", *OVERLAY[way.inner])
    given = arriving(way, inner)
    several = arriving(way, inner, lambda datagram: datagram / Raw(bytes(datagram)))
    refused(loaded, way, several, "gso", gso_size=len(given) - 14, gso_segs=2)
    refused(loaded, way, given, "gso" if way.kind == "vxlan" else "pull_failed", gso_size=500, gso_segs=3)
    segments = arriving(way, packet("tcp", *OVERLAY[way.inner]))
    refused(loaded, way, segments, "pull_failed", gso_size=500, gso_segs=3)


def test_gre_that_no_rule_matches(loaded: Load) -> None:
    """The rule takes what goes to 10.0.0.0/8: not IPv6, and not another network."""
    four, six = (w for w in WAYS if w.example == "two-by-row" and w.kind == "gre")
    refused(loaded, six, arriving(six, packet("tcp", *OVERLAY[6])), "match")
    refused(loaded, four, arriving(four, packet("tcp", "10.1.2.3", "11.0.0.1")), "match")


@pytest.mark.parametrize("way", ACCEPTED, ids=str)
def test_cut_off_at_every_byte(loaded: Load, way: Way) -> None:
    """A frame that ends early: too short to be ours, to have all headers, or to be as long as it says."""
    inner = packet("udp-odd", *OVERLAY[way.inner])
    given = arriving(way, inner)
    recognised = 14 + {4: 20, 6: 40}[way.outer] + (8 if way.kind == "vxlan" else 0)
    complete = 14 + way.overhead + 20
    # BPF_PROG_TEST_RUN itself refuses a frame without a whole IP header.
    for length in range(14 + {4: 20, 6: 40}[way.outer], len(given)):
        reason = OTHERS if length < recognised else "truncated" if length < complete else "length"
        refused(loaded, way, given[:length], reason)


@pytest.mark.parametrize("way", ACCEPTED, ids=str)
def test_short_datagrams(loaded: Load, way: Way) -> None:
    """A datagram that is short and says so: its headers are right, its inner packet is not all there."""
    inner = packet("udp-odd", *OVERLAY[way.inner])
    for length in range(1, len(inner)):
        reason = "truncated" if length < 20 or (way.inner == 6 and length < 40) else "length"
        refused(loaded, way, arriving(way, inner[:length]), reason)


@pytest.mark.parametrize("example", ["vxlan-overlay", "ipip-sites", "gre-tenants", "two-by-row"])
def test_plain_traffic_passes(loaded: Load, example: str) -> None:
    datapath = loaded(example)
    plain: list[tuple[Any, int]] = [
        (ARP(psrc="192.0.2.10", pdst="192.0.2.77"), 0x0806),
        (packet("tcp", "192.0.2.10", "192.0.2.77"), 0x0800),
        (packet("udp-odd", "2001:db8::30", "2001:db8::77"), 0x86DD),
        (packet("icmp", "192.0.2.10", "192.0.2.77"), 0x0800),
        (b"\x88\xcc" * 30, 0x88CC),
        (bytes(60), 0x8100),
    ]
    for data, type_ in plain:
        given = frame(data, type_) if not isinstance(data, ARP) else frame(bytes(data), type_)
        outcome = datapath.ingress(given, mark=9)
        assert (outcome.verdict, outcome.frame, outcome.mark, outcome.counted) == ("pass", given, 9, {})


@EVERY_WAY
def test_the_type_in_the_frame_decides(loaded: Load, way: Way) -> None:
    inner = packet("tcp", *OVERLAY[way.inner])
    given = bytearray(arriving(way, inner))
    given[12:14] = ETHER_TYPE[10 - way.outer].to_bytes(2, "big")
    outcome = loaded(way.example).ingress(bytes(given))
    assert (outcome.verdict, outcome.frame, outcome.counted) == ("pass", bytes(given), {})

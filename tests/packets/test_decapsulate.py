"""What comes in is, byte for byte, what was put in; what the protocol says to ignore is ignored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import GRE, Ether

from .arriving import OVERLAY, arriving, decapsulated_counter
from .datapath import Datapath
from .inner import SHAPES, packet
from .ways import ETHER_TYPE, WAYS, Way

Load = Callable[[str], Datapath]
# The rule of two-by-row for GRE takes IPv4 inside only.
ACCEPTED = [w for w in WAYS if not (w.example == "two-by-row" and w.kind == "gre" and w.inner == 6)]
EVERY_WAY = pytest.mark.parametrize("way", ACCEPTED, ids=str)
MARKED = ("vxlan-overlay", "gre-tenants")


def mark_of(way: Way, before: int) -> int:
    if way.kind == "ipip":
        return before
    return way.received_mark or (way.mark if way.kind == "gre" else 0)


def check(loaded: Load, way: Way, inner: bytes, given: bytes, padding: bytes = b"") -> None:
    outcome = loaded(way.example).ingress(given + padding, mark=0x55)
    assert outcome.counted == {decapsulated_counter(way): (1, len(inner))}
    assert outcome.verdict == "pass"
    assert outcome.frame[14:].hex() == (inner + padding).hex()
    assert outcome.frame[:12] == given[:12]
    assert int.from_bytes(outcome.frame[12:14], "big") == ETHER_TYPE[way.inner]
    assert outcome.mark == mark_of(way, 0x55)


@EVERY_WAY
def test_every_shape_of_packet(loaded: Load, way: Way) -> None:
    for shape in SHAPES[way.inner]:
        inner = packet(shape, *OVERLAY[way.inner])
        check(loaded, way, inner, arriving(way, inner))


def change(layer: Any, **fields: Any) -> Callable[[Any], None]:
    def changed(datagram: Any) -> None:
        for name, value in fields.items():
            setattr(datagram[layer], name, value)

    return changed


@EVERY_WAY
@pytest.mark.parametrize("group", ["ff:ff:ff:ff:ff:ff", "01:00:5e:01:02:03", "33:33:00:00:00:05"])
def test_frames_to_a_group(loaded: Load, way: Way, group: str) -> None:
    """Multicast and broadcast are for every station; one to another station's MAC is among the refused."""
    if way.kind == "vxlan":
        inner = packet("udp-odd", *OVERLAY[way.inner])
        check(loaded, way, inner, arriving(way, inner, change(Ether, dst=group)))


IGNORED: list[tuple[str, Callable[[Way], bool], Callable[[Any], Any]]] = [
    ("ttl", lambda w: w.outer == 4, change(IP, ttl=1)),
    ("identification", lambda w: w.outer == 4, change(IP, id=0xFFFF)),
    ("don't fragment", lambda w: w.outer == 4, change(IP, flags="DF")),
    ("reserved flag", lambda w: w.outer == 4, change(IP, flags="evil")),
    ("dscp", lambda w: w.outer == 4, change(IP, tos=0xFC)),
    ("hop limit", lambda w: w.outer == 6, change(IPv6, hlim=0)),
    ("flow label", lambda w: w.outer == 6, change(IPv6, fl=0xFFFFF)),
    ("traffic class", lambda w: w.outer == 6, change(IPv6, tc=0xFC)),
    ("source port", lambda w: w.kind == "vxlan", change(UDP, sport=1)),
    ("UDP checksum", lambda w: w.kind == "vxlan", change(UDP, chksum=0xBAD)),
    ("GRE reserved bits", lambda w: w.kind == "gre", change(GRE, recursion_control=0, flags=0x1F)),
]


@EVERY_WAY
def test_ignored_fields(loaded: Load, way: Way) -> None:
    inner = packet("tcp", *OVERLAY[way.inner])
    for _, applies, changed in IGNORED:
        if applies(way):
            check(loaded, way, inner, arriving(way, inner, changed))


@EVERY_WAY
def test_a_padded_frame(loaded: Load, way: Way) -> None:
    inner = packet("udp-empty", *OVERLAY[way.inner])
    for length in (1, 18, 200):
        check(loaded, way, inner, arriving(way, inner), bytes(length))

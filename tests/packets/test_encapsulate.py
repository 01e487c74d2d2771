"""What leaves is, byte for byte, what scapy and the catalogue's own encoder build."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from scapy.layers.inet import TCP, UDP

from .datapath import MTU, Datapath
from .inner import frame, ip, packet
from .ways import WAYS, Way, by_catalogue, by_scapy

Load = Callable[[str], Datapath]
EVERY_WAY = pytest.mark.parametrize("way", WAYS, ids=str)
ROUTED = ("gre-tenants",)  # next_hop: route, where no route is known: redirected to the outer destination's neighbour


def port(way: Way, datagram: bytes) -> int:
    """The outer source port, which only the flow decides."""
    return int.from_bytes(datagram[{4: 20, 6: 40}[way.outer] :][:2], "big") if way.kind == "vxlan" else 0


def check(loaded: Load, way: Way, inner: bytes) -> None:
    given = frame(inner)
    outcome = loaded(way.example).egress(given, mark=way.mark)
    assert outcome.verdict == ("redirect" if way.example in ROUTED else "pass")
    datagram = outcome.frame[14:]
    beside = {"egress_next_hop_fallback": (1, len(datagram))} if way.example in ROUTED else {}
    assert outcome.counted == {f"egress_rule_{way.rule}": (1, len(inner)), **beside}
    assert datagram.hex() == by_scapy(way, inner, port(way, datagram)).hex()
    assert datagram.hex() == by_catalogue(way, inner, port(way, datagram)).hex()
    assert outcome.frame[:12] == given[:12], "the MAC addresses are not ours to change"
    assert outcome.frame[12:14].hex() == {4: "0800", 6: "86dd"}[way.outer]
    assert outcome.mark == way.mark


@EVERY_WAY
def test_every_shape_of_packet(loaded: Load, way: Way) -> None:
    for shape in way.shapes:
        check(loaded, way, way.packet(shape))


@EVERY_WAY
def test_congestion_bits_are_copied(loaded: Load, way: Way) -> None:
    for ecn in range(4):
        check(loaded, way, way.packet("tcp", ecn))


@EVERY_WAY
def test_lengths(loaded: Load, way: Way) -> None:
    for length in (48, 49, 50, 51, 255, 256, 511, 512):
        check(loaded, way, way.sized(length))


@EVERY_WAY
def test_the_mtu_decides_what_is_too_big(loaded: Load, way: Way) -> None:
    check(loaded, way, way.sized(MTU - way.overhead))
    too_big = frame(way.sized(MTU - way.overhead + 1))
    outcome = loaded(way.example).egress(too_big, mark=way.mark)
    assert outcome.counted["egress_too_big"] == (1, len(too_big) - 14)
    if way.inner == 4:  # without DF: no router answers it
        assert (outcome.verdict, outcome.frame) == ("drop", too_big)
    else:
        assert (outcome.verdict, len(outcome.frame)) == ("redirect", 14 + 1280)


def test_a_flow_keeps_its_port_and_flows_spread(loaded: Load) -> None:
    way = WAYS[0]
    ports = []
    for source_port in range(2000, 2100):
        given = frame(ip("10.0.0.1", way.destination) / UDP(sport=source_port, dport=7000))
        found = {port(way, loaded(way.example).egress(given).frame[14:]) for _ in range(3)}
        assert len(found) == 1
        ports += found
    assert len(set(ports)) > 90
    assert min(ports) >= 49152 and max(ports) <= 65535
    assert max(ports) - min(ports) > 8192, "the whole range is used"


@EVERY_WAY
def test_without_the_program_the_bytes_differ(way: Way) -> None:
    inner = way.packet("tcp")
    assert by_scapy(way, inner, 50000) != inner
    assert by_scapy(way, inner, 50000) == by_catalogue(way, inner, 50000)
    other = replace(way, identifier=way.identifier ^ 1)
    assert (way.kind == "ipip") == (by_scapy(other, inner, 50000) == by_scapy(way, inner, 50000))


def test_ports_choose_the_rule(loaded: Load) -> None:
    way = replace(WAYS[0], rule="web")
    for number in (443, 8000, 8500, 8999):
        check(loaded, way, bytes(ip("10.0.0.1", way.destination) / TCP(dport=number)))
        check(loaded, WAYS[0], bytes(ip("10.0.0.1", way.destination) / UDP(dport=number)))
    for number in (442, 444, 7999, 9000, 0, 65535):
        check(loaded, WAYS[0], bytes(ip("10.0.0.1", way.destination) / TCP(dport=number)))


def test_the_longest_prefix_wins(loaded: Load) -> None:
    host, around = WAYS[2], WAYS[1]
    check(loaded, host, packet("tcp", "10.0.0.1", "10.3.7.9"))
    check(loaded, around, packet("tcp", "10.0.0.1", "10.3.7.8"))

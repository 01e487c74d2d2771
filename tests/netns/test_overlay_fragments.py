"""Fragments: of tunnel packets, and of packets that go into the tunnel."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.support.frames import Listener, TunnelFrames, inner_datagram
from tests.support.overlay import Overlay
from tests.support.topology import Topology
from tests.support.traffic import udp_echo
from tests.support.wire import Capture, carries, send_frames

from .conftest import Compiled

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module", params=[4, 6], ids="outer{}".format)
def network(request: pytest.FixtureRequest, compiled: Compiled) -> Iterator[Overlay]:
    with Topology(offloads="off") as topology:
        overlay = Overlay(topology, outer=request.param)
        overlay.apply(compiled())
        yield overlay


@pytest.mark.parametrize("inner", [4, 6])
def test_fragmented_inner_packets_go_through(network: Overlay, inner: int) -> None:
    """Only the first fragment has ports; the later ones take the same way by their addresses."""
    topology = network.topology
    with Capture(topology.router, "to-ours") as wire:
        assert udp_echo(topology.host("ours", inner), topology.host("far", inner), sizes=(3000, 9000), port=8080)
        assert udp_echo(topology.host("far", inner), topology.host("ours", inner), sizes=(3000,))
        unencapsulated = topology.host("far", inner)
        outgoing = [frame.data for frame in wire.frames() if not frame.outgoing]
    in_the_clear = {4: b"\x08\x00", 6: b"\x86\xdd"}[inner]
    address = _packed(unencapsulated.address)
    offset = 30 if inner == 4 else 38
    leaked = [
        data for data in outgoing if data[12:14] == in_the_clear and data[offset : offset + len(address)] == address
    ]
    assert leaked == []


def _packed(address: str) -> bytes:
    import ipaddress

    return ipaddress.ip_address(address).packed


def test_fragmented_outer_packets_are_not_misread(network: Overlay) -> None:
    """The first has the UDP port and is dropped by name; the others, which nothing can tell, never become a packet."""
    topology = network.topology
    build = TunnelFrames(topology)
    payload = random.Random(3).randbytes(1200)
    packet = build.vxlan(inner_datagram(4, payload), network.outer)
    if network.outer == 4:
        from scapy.layers.inet import fragment

        pieces = fragment(packet, fragsize=400)
    else:
        from scapy.layers.inet6 import IPv6ExtHdrFragment, fragment6

        whole = packet.copy()
        carried = whole.payload
        whole.remove_payload()
        pieces = fragment6(whole / IPv6ExtHdrFragment(id=7, nh=17) / carried, 500)
    assert len(pieces) > 2
    with Listener(topology, inner=4) as listener, network.counting() as counted:
        send_frames(topology.far, "eth0", [build.frame(piece) for piece in pieces])
        received = listener.receive(timeout=0.2)
    assert received is None
    # An IPv6 fragment names no UDP at all, so all of them are left alone; reassembled, no socket takes them.
    assert counted["refused_vxlan__fragment"] == (1 if network.outer == 4 else 0)
    assert counted["ingress_rule_peers"] == 0


def test_nothing_of_a_fragment_leaves_in_the_clear_without_a_row(network: Overlay) -> None:
    import socket

    topology = network.topology
    with (
        network.counting() as counted,
        Capture(topology.router, "to-ours") as wire,
        topology.ours.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        sender.sendto(b"F" * 4000, ("10.77.0.1", 8080))
        assert udp_echo(topology.host("ours", 4), topology.host("far", 4))
        assert wire.frames(carries(b"FFFF")) == []
    # The IP layer gives up on a packet whose first fragment is dropped.
    assert counted["egress_miss_sites"] >= 1

"""GSO packets of datagrams: one skb that holds several outer packets, and several inner ones under one outer."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.support.frames import Listener, TunnelFrames, inner_datagram
from tests.support.overlay import Overlay
from tests.support.topology import PLAN, Topology
from tests.support.traffic import Host
from tests.support.wire import Capture, carries

from .conftest import Compiled

pytestmark = pytest.mark.kernel

UDP_SEGMENT = 103
COUNT = 5


@pytest.fixture(scope="module", params=[4, 6], ids="outer{}".format)
def network(request: pytest.FixtureRequest, compiled: Compiled) -> Iterator[Overlay]:
    with Topology() as topology:
        overlay = Overlay(topology, outer=request.param)
        overlay.apply(compiled())
        yield overlay


def _segmented(source: Host, destination: Host, port: int, segments: list[bytes]) -> None:
    """Send equally long datagrams as one GSO packet."""
    with source.namespace.socket(source.family, socket.SOCK_DGRAM) as sender:
        sender.bind((source.address, 0))
        sender.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, len(segments[0]))
        sender.sendto(b"".join(segments), (destination.address, port))


def _tunnel_datagrams(network: Overlay) -> list[bytes]:
    build = TunnelFrames(network.topology)
    return [bytes(build.vxlan_payload(inner_datagram(4, b"segment %d" % number))) for number in range(COUNT)]


def _received(listener: Listener) -> list[bytes]:
    found = []
    while (one := listener.receive(timeout=0.2)) is not None:
        found.append(one[0])
    return found


@pytest.mark.parametrize("offloads", ["on", "off"])
def test_super_packet_of_tunnel_datagrams(network: Overlay, offloads: str) -> None:
    """Whole, it has several outer headers and is refused by name; cut by the sender's device, all of it arrives."""
    topology, outer = network.topology, network.outer
    topology.set_offloads(offloads)
    far, ours = (Host(topology.namespaces[role], str(PLAN[role].underlay[outer])) for role in ("far", "ours"))
    datagrams = _tunnel_datagrams(network)
    with Listener(topology, inner=4) as listener, network.counting() as counted:
        _segmented(far, ours, 4789, datagrams)
        received = _received(listener)
    if offloads == "on":
        assert received == []
        assert counted["refused_vxlan__gso"] == COUNT
    else:
        assert received == [b"segment %d" % number for number in range(COUNT)]
        assert counted["ingress_rule_peers"] == COUNT


@pytest.mark.parametrize("inner", [4, 6])
@pytest.mark.parametrize("offloads", ["on", "software"])
def test_inner_super_packet(network: Overlay, offloads: str, inner: int) -> None:
    """QUIC and others send this way: each segment must be a whole tunnel packet on the wire."""
    topology = network.topology
    topology.set_offloads(offloads)
    ours, far = topology.host("ours", inner), topology.host("far", inner)
    segments = [bytes([65 + number]) * 1000 for number in range(COUNT)]
    with (
        far.namespace.socket(far.family, socket.SOCK_DGRAM) as receiver,
        Capture(topology.router, "wan") as wire,
        network.counting() as counted,
    ):
        receiver.bind((far.address, 7104))
        receiver.settimeout(2)
        _segmented(ours, far, 7104, segments)
        assert [receiver.recv(65536) for _ in segments] == segments
        if offloads == "software":
            lengths = [len(frame.data) for frame in wire.frames(carries(b"A" * 50)) if frame.outgoing]
            assert len(lengths) == 1
            assert lengths[0] < 1514
    assert counted["egress_rule_sites"] == COUNT

"""Congestion marks cross the tunnel as RFC 6040 says, in both directions, for every combination."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.support.ecn import CE, ECT_0, ECT_1, FIGURE_4, NOT_ECT
from tests.support.frames import Listener, TunnelFrames, inner_datagram
from tests.support.overlay import Overlay
from tests.support.topology import Topology
from tests.support.wire import Capture, send_frames

from .conftest import Compiled

pytestmark = pytest.mark.kernel

DSCP = 0x28  # af11: must stay what it was


@pytest.fixture(scope="module", params=[4, 6], ids="outer{}".format)
def network(request: pytest.FixtureRequest, compiled: Compiled) -> Iterator[Overlay]:
    with Topology(offloads="off") as topology:
        overlay = Overlay(topology, outer=request.param)
        overlay.apply(compiled())
        yield overlay


@pytest.mark.parametrize("inner", [4, 6])
def test_decapsulation(network: Overlay, inner: int) -> None:
    build = TunnelFrames(network.topology)
    got: dict[int, dict[int, int | None]] = {}
    with Listener(network.topology, inner) as listener, network.counting() as counted:
        for inside in FIGURE_4:
            got[inside] = {}
            for outside in FIGURE_4[inside]:
                payload = b"inner %d outer %d" % (inside, outside)
                packet = inner_datagram(inner, payload, tos=DSCP | inside)
                frame = build.frame(build.vxlan(packet, network.outer, tos=outside))
                send_frames(network.topology.far, "eth0", [frame])
                expected = FIGURE_4[inside][outside]
                received = listener.receive(timeout=2.0 if expected is not None else 0.1)
                assert received is None or received[0] == payload
                assert received is None or received[1] & ~3 == DSCP
                got[inside][outside] = None if received is None else received[1] & 3
    assert got == FIGURE_4
    assert counted["refused_vxlan__ecn"] == 1


@pytest.mark.parametrize("inner", [4, 6])
@pytest.mark.parametrize("mark", [NOT_ECT, ECT_0, ECT_1, CE])
def test_encapsulation_copies(network: Overlay, inner: int, mark: int) -> None:
    topology = network.topology
    ours, far = topology.host("ours", inner), topology.host("far", inner)
    with Capture(topology.router, "to-ours") as wire, ours.namespace.socket(ours.family, socket.SOCK_DGRAM) as sender:
        level, option = (socket.IPPROTO_IP, socket.IP_TOS) if inner == 4 else (socket.IPPROTO_IPV6, socket.IPV6_TCLASS)
        sender.setsockopt(level, option, DSCP | mark)
        sender.bind((ours.address, 0))
        sender.sendto(b"marked packet", (far.address, 7101))
        frame = wire.first(lambda frame: not frame.outgoing and b"marked packet" in frame.data).data
    outer_tos = frame[15] if network.outer == 4 else (frame[14] << 4 | frame[15] >> 4) & 0xFF
    assert outer_tos & 3 == mark

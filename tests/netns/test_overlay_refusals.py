"""What must not pass, and that it is counted under its name: in both directions nothing fails open."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.support.frames import Listener, TunnelFrames, inner_datagram
from tests.support.overlay import VNI, Overlay, sites
from tests.support.topology import PLAN, Topology
from tests.support.traffic import Host, ping, udp_echo
from tests.support.wire import Capture, carries, send_frames

from .conftest import Compiled

pytestmark = pytest.mark.kernel

SECRET = b"must not be seen unencapsulated"
ANSWERED = 2.0
NOTHING = 0.1


@pytest.fixture(scope="module")
def network(compiled: Compiled) -> Iterator[Overlay]:
    with Topology(offloads="off") as topology:
        overlay = Overlay(topology, outer=4)
        overlay.apply(compiled())
        yield overlay


def _send(topology: Topology, destination: str, source: str = "", count: int = 1) -> int:
    """Datagrams from ours; returns how many frames on the wire held their bytes, unencapsulated or not."""
    family = socket.AF_INET6 if ":" in destination else socket.AF_INET
    with Capture(topology.router, "to-ours") as wire, topology.ours.socket(family, socket.SOCK_DGRAM) as sender:
        if source:
            sender.bind((source, 0))
        for _ in range(count):
            sender.sendto(SECRET, (destination, 7102))
        # Its answer has come after them all, so whatever left has been captured.
        assert ping(topology.underlay_host("ours", 4), topology.underlay_host("far", 4), count=1)
        return len(wire.frames(carries(SECRET)))


@pytest.mark.parametrize("destination", ["10.77.0.1", "fd00:10:77::1"])
def test_missing_row_is_dropped_and_counted(network: Overlay, destination: str) -> None:
    with network.counting() as counted:
        assert _send(network.topology, destination, count=5) == 0
    assert counted["egress_miss_sites"] == 5


def test_rule_that_drops(network: Overlay) -> None:
    network.topology.ours.ip("addr replace 10.9.0.1 dev lo")
    with network.counting() as counted:
        assert _send(network.topology, "10.99.0.1", source="10.9.0.1", count=3) == 0
    assert counted["egress_rule_lab"] == 3


def test_packet_larger_than_the_path_is_dropped_not_sent_in_the_clear(network: Overlay) -> None:
    topology = network.topology
    topology.ours.ip("route replace 10.1.0.9 via 192.0.2.17 dev eth0 mtu 1500")
    with network.counting() as counted, Capture(topology.router, "to-ours") as wire:
        sent = ping(
            topology.host("ours", 4),
            Host(topology.far, "10.1.0.9"),
            count=2,  # the second one is refused by the kernel, which was told what fits
            size=1472,
            timeout=0.1,
            options=("-M", "do"),
        )
        leaked = wire.frames(carries(PLAN["ours"].overlay[4].packed))
    assert (sent.good, len(leaked)) == (0, 0)
    assert counted["egress_too_big"] == counted["egress_answered"] == 1


def test_without_the_program_it_is_in_the_clear(compiled: Compiled) -> None:
    """Proof that the captures of the other tests would see a leak."""
    with Topology(offloads="off") as topology:
        overlay = Overlay(topology, outer=4)
        assert _send(topology, "10.1.0.1", source="10.200.0.1") == 1
        overlay.apply(compiled())
        with Capture(topology.router, "to-ours") as wire:
            _send(topology, "10.1.0.1", source="10.200.0.1")
            (frame,) = wire.frames(lambda frame: not frame.outgoing and SECRET in frame.data)
        assert frame.data[30:34] == PLAN["far"].underlay[4].packed
        assert len(frame.data) == 14 + 20 + 8 + 8 + 14 + 20 + 8 + len(SECRET)
        overlay.remove()
        assert _send(topology, "10.1.0.1", source="10.200.0.1") == 1


def _delivered(network: Overlay, frame: bytes, expect: bool = False, role: str = "far") -> bool:
    with Listener(network.topology, inner=4) as listener:
        send_frames(network.topology.namespaces[role], "eth0", [frame])
        return listener.receive(ANSWERED if expect else NOTHING) is not None


def test_right_frame_is_delivered(network: Overlay) -> None:
    """The frame that the tests below break in one place each."""
    build = TunnelFrames(network.topology)
    frame = build.frame(build.vxlan(inner_datagram(4, b"right")))
    with network.counting() as counted:
        assert _delivered(network, frame, expect=True)
    assert counted["ingress_rule_peers"] == 1


def test_wrong_vni(network: Overlay) -> None:
    build = TunnelFrames(network.topology)
    with network.counting() as counted:
        assert not _delivered(network, build.frame(build.vxlan(inner_datagram(4, SECRET), vni=VNI + 1)))
    assert counted["refused_vxlan__vni"] == 1


def test_unlisted_outer_source(network: Overlay) -> None:
    build = TunnelFrames(network.topology)
    with network.counting() as counted:
        assert not _delivered(network, build.frame(build.vxlan(inner_datagram(4, SECRET), source="192.0.2.11")))
    assert counted["refused_vxlan__source"] == 1


def test_vxlan_flags_without_a_vni(network: Overlay) -> None:
    build = TunnelFrames(network.topology)
    with network.counting() as counted:
        assert not _delivered(network, build.frame(build.vxlan(inner_datagram(4, SECRET), flags=0)))
    assert sum(count for name, count in counted.items() if name.startswith("refused_vxlan")) == 1


@pytest.mark.parametrize("kept", range(20 + 8, 20 + 8 + 8 + 14 + 20, 6))
def test_truncated(network: Overlay, kept: int) -> None:
    """Cut anywhere before the inner IP header is whole, outer lengths made to fit."""
    from scapy.layers.inet import IP, UDP

    build = TunnelFrames(network.topology)
    packet = IP(bytes(build.vxlan(inner_datagram(4, SECRET)))[:kept])
    packet.len, packet[UDP].len = kept, kept - 20
    del packet.chksum
    with network.counting() as counted:
        assert not _delivered(network, build.frame(packet))
    assert sum(count for name, count in counted.items() if name.startswith("refused_vxlan")) == 1


def test_to_an_address_that_is_not_ours_is_left_alone(network: Overlay) -> None:
    """Another VTEP's packet, as a router sees it: neither decapsulated nor refused."""
    topology = network.topology
    build = TunnelFrames(topology, role="near")
    packet = build.vxlan(inner_datagram(4, SECRET, role="near"))
    packet.dst = "192.0.2.29"
    with network.counting() as counted:
        assert not _delivered(network, build.frame(packet), role="near")
    assert not {name: count for name, count in counted.items() if count and name.startswith(("refused", "ingress"))}


def test_kernel_device_with_another_vni_reaches_nothing(compiled: Compiled) -> None:
    with Topology() as topology:
        overlay = Overlay(topology, outer=4, vni=VNI + 1)
        overlay.apply(compiled(), rows=sites(4))
        ours, far = topology.host("ours", 4), topology.host("far", 4)
        with overlay.counting() as counted:
            assert ping(far, ours, timeout=NOTHING).good == 0
            assert udp_echo(ours, far, sizes=(10, 20), timeout=NOTHING).good == 0
        assert counted["refused_vxlan__vni"] == 3
        assert counted["egress_rule_sites"] == 2


def test_kernel_device_from_an_unlisted_end_reaches_nothing(compiled: Compiled) -> None:
    with Topology() as topology:
        overlay = Overlay(topology, outer=4)
        overlay.apply(compiled(), rows=sites(4, roles=("near",)))
        with overlay.counting() as counted:
            assert ping(topology.host("far", 4), topology.host("ours", 4), timeout=NOTHING).good == 0
            assert ping(topology.host("near", 4), topology.host("ours", 4))
        assert counted["refused_vxlan__source"] == 3

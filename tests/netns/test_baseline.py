"""The test network itself, with the kernel's vxlan device on both sides: a failure elsewhere is not the network's."""

from __future__ import annotations

import pytest

from tests.support import kernel_vxlan
from tests.support.links import OFFLOADS
from tests.support.topology import PLAN, Topology
from tests.support.traffic import bulk_tcp, ping, udp_echo
from tests.support.wire import Capture, carries

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize("offloads", OFFLOADS)
@pytest.mark.parametrize("outer", [4, 6])
@pytest.mark.parametrize("other", ["far", "near"])
def test_kernel_to_kernel(other: str, outer: int, offloads: str) -> None:
    with Topology(offloads=offloads) as topology:
        kernel_vxlan.connect(topology, "ours", other, vni=42, outer=outer)
        for inner in (4, 6):
            ours, theirs = topology.host("ours", inner), topology.host(other, inner)
            assert ping(ours, theirs)
            assert ping(theirs, ours)
            assert udp_echo(ours, theirs)
            assert bulk_tcp(ours, theirs, size=1 << 20)


def test_wrong_vni_delivers_nothing() -> None:
    with Topology() as topology:
        kernel_vxlan.connect(topology, "ours", "far", vni=42, outer=4)
        topology.far.ip("link del vx0")
        kernel_vxlan.add_device(topology, "far", vni=43, outer=4)
        ours, far = topology.host("ours", 4), topology.host("far", 4)
        assert ping(ours, far, timeout=0.2).good == 0
        assert udp_echo(ours, far, timeout=0.1).good == 0
        assert not bulk_tcp(ours, far, size=1000, timeout=0.3)


def test_capture_sees_both_directions() -> None:
    with Topology() as topology, Capture(topology.router, "wan") as wire:
        source = topology.underlay_host("ours", 4)
        assert ping(source, topology.underlay_host("far", 4), count=1)
        address = PLAN["far"].underlay[4].packed
        assert {frame.outgoing for frame in wire.frames(carries(address))} == {True, False}

"""examples/vxlan-overlay.yaml against the kernel's vxlan device: every way that traffic can go, both directions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.links import OFFLOADS
from tests.support.overlay import NEXT_HOP_ROUTE, Overlay
from tests.support.topology import Topology
from tests.support.traffic import bulk_tcp, ping, udp_echo
from tests.support.wire import Capture, Frame

from .conftest import Compiled

pytestmark = pytest.mark.kernel

NEXT_HOPS = {"keep": (), "route": (NEXT_HOP_ROUTE,)}


@pytest.fixture(
    scope="module", params=[(4, "keep"), (4, "route"), (6, "keep"), (6, "route")], ids="{0[0]}-{0[1]}".format
)
def network(request: pytest.FixtureRequest, compiled: Compiled) -> Iterator[Overlay]:
    """With `route`, every inner route leads to the router: the program must find the on-link end itself."""
    outer, next_hop = request.param
    with Topology() as topology:
        overlay = Overlay(topology, outer, through_router=next_hop == "route")
        overlay.apply(compiled(*NEXT_HOPS[next_hop]))
        yield overlay


@pytest.mark.parametrize("offloads", OFFLOADS)
@pytest.mark.parametrize("inner", [4, 6])
@pytest.mark.parametrize("other", ["far", "near"])
def test_both_ways(network: Overlay, other: str, inner: int, offloads: str) -> None:
    topology = network.topology
    topology.set_offloads(offloads)
    ours, theirs = topology.host("ours", inner), topology.host(other, inner)
    with network.counting() as counted:
        assert ping(ours, theirs)
        assert ping(theirs, ours)
        assert udp_echo(ours, theirs)
        assert udp_echo(theirs, ours)
        assert bulk_tcp(ours, theirs)
        assert bulk_tcp(theirs, ours, size=1 << 20)
    assert counted["egress_rule_sites"] > 100
    assert counted["ingress_rule_peers"] > 100
    assert not {name: count for name, count in counted.items() if count and ("no_" in name or "refused" in name)}


def test_on_link_packets_go_straight(network: Overlay) -> None:
    """Nothing for an on-link end may pass through the router's IP layer."""
    topology = network.topology
    near = bytes.fromhex(topology.mac("near").replace(":", ""))
    with Capture(topology.router, "to-ours") as wire:
        assert ping(topology.host("ours", 4), topology.host("near", 4))
        sent = wire.frames(lambda frame: not frame.outgoing and _is_vxlan(frame))
    assert len(sent) == 3
    assert {frame.data[:6] for frame in sent} == {near}


def test_largest_packet(network: Overlay) -> None:
    """An inner packet that fills the path exactly gets through; the IP header says not to fragment it."""
    topology = network.topology
    size = 1500 - {4: 50, 6: 70}[network.outer] - 28
    for options in ((), ("-M", "do")):
        assert ping(topology.host("ours", 4), topology.host("far", 4), size=size, options=options)
        assert ping(topology.host("far", 4), topology.host("ours", 4), size=size, options=options)


def _is_vxlan(frame: Frame) -> bool:
    ipv4, ipv6 = frame.data[12:14] == b"\x08\x00", frame.data[12:14] == b"\x86\xdd"
    at = 34 if ipv4 else 54
    protocol = frame.data[23] if ipv4 else frame.data[20]
    return (ipv4 or ipv6) and protocol == 17 and frame.data[at + 2 : at + 4] == (4789).to_bytes(2)


@pytest.mark.parametrize("attach", ["tcx", "clsact"])
def test_either_way_of_attaching(compiled: Compiled, attach: str) -> None:
    with Topology(offloads="software") as topology:
        overlay = Overlay(topology, outer=4)
        overlay.apply(compiled(), "--attach", attach)
        for inner in (4, 6):
            assert ping(topology.host("ours", inner), topology.host("far", inner))
            assert bulk_tcp(topology.host("ours", inner), topology.host("near", inner))
        overlay.remove()
        assert ping(topology.host("ours", 4), topology.host("far", 4), timeout=0.1).good == 0

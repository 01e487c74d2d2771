"""`next_hop: route`: what is encapsulated goes where the kernel's routes send the outer packet, on any device."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address

import pytest

from encap_compile.compile.model.entropy import hash_add, native
from tests.support import kernel_vxlan
from tests.support.links import mac_of, neighbour_line
from tests.support.overlay import ANY_DEVICES, NEXT_HOP_ROUTE, Overlay, Site, sites
from tests.support.polling import until
from tests.support.topology import PLAN, SECOND_UPLINK, Topology
from tests.support.traffic import bulk_tcp, ping
from tests.support.wire import Capture, carries

from .conftest import Compiled

pytestmark = pytest.mark.kernel
BOTH = pytest.mark.parametrize("outer", [4, 6], ids="outer{}".format)
VTEP = f"{PLAN['ours'].underlay[4]},{PLAN['ours'].underlay[6]}"
KEPT = 0.25  # seconds: longer than an answer is kept, at any CONFIG_HZ


@contextmanager
def one_cpu() -> Iterator[None]:
    """Each CPU confirms neighbours by itself, beginning with its first packet: let this process use one."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def _forwarding_of_lo(topology: Topology, value: int) -> None:
    """`apply` sets it, and without it the kernel answers nothing: as when somebody changes `all.forwarding`."""
    for version in (4, 6):
        topology.ours.sysctl(f"net.ipv{version}.conf.lo.forwarding", value)


def _send(topology: Topology, payload: bytes, to: str = "") -> None:
    ours, far = topology.host("ours", 4), topology.host("far", 4)
    with topology.ours.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind((ours.address, 0))
        sender.sendto(payload, (to or far.address, 7103))


def _arrives_on(topology: Topology, port: str, payload: bytes) -> bytes:
    """Send a datagram and return the only frame with it that arrives at a device of the router."""
    with Capture(topology.router, port) as wire:
        _send(topology, payload)
        wire.first(lambda frame: carries(payload)(frame) and not frame.outgoing, "the datagram")
        (frame,) = [f.data for f in wire.frames(carries(payload)) if not f.outgoing]
    return frame


@BOTH
def test_two_uplinks(compiled: Compiled, outer: int) -> None:
    """The inner route says eth1, the route of the outer destination eth0: it leaves there, encapsulated once."""
    with Topology(offloads="software", uplinks=2) as topology:
        overlay = Overlay(topology, outer=outer)
        overlay.apply(compiled(*ANY_DEVICES, NEXT_HOP_ROUTE), uplink="eth0,eth1", vtep=VTEP)
        topology.route_overlay("ours", "far", direct=False, mtu=1500 - 70, device="eth1")
        with overlay.counting() as counted:
            for number in range(4):  # the first by the kernel's own way, which confirms the neighbour
                frame = _arrives_on(topology, "to-ours", b"datagram %d" % number)
                assert frame[:6].hex(":") == mac_of(topology.router, "lan")
                assert frame[6:12].hex(":") == mac_of(topology.ours, "eth0")
        assert counted["egress_rule_sites"] == 4
        assert counted["egress_own_stack"] == 4  # redirected to eth0, which has the program too
        assert counted["egress_next_hop_fallback"] == 0
        assert bulk_tcp(topology.host("ours", 4), topology.host("far", 4))


@BOTH
def test_one_uplink_runs_its_program_once(compiled: Compiled, outer: int) -> None:
    """An answer that names the device itself is no redirect; without one, every packet meets the hook twice."""
    with Topology(offloads="software") as topology:
        overlay = Overlay(topology, outer=outer, through_router=True)
        overlay.apply(compiled(NEXT_HOP_ROUTE))
        far = topology.host("far", 4)
        _forwarding_of_lo(topology, 0)
        time.sleep(KEPT)
        with overlay.counting() as refused:
            assert bulk_tcp(topology.host("ours", 4), far)
        assert refused["egress_next_hop_fallback"] == refused["egress_own_stack"] > 100
        _forwarding_of_lo(topology, 1)
        time.sleep(KEPT)
        with overlay.counting() as looked_up:
            assert bulk_tcp(topology.host("ours", 4), far)
        assert looked_up["egress_own_stack"] < refused["egress_own_stack"] / 4  # what confirms the neighbour
        assert looked_up["egress_next_hop_fallback"] == 0


def test_uplinks_with_different_mtus(compiled: Compiled) -> None:
    """The inner route says eth1, which takes more than eth0, where the outer packet leaves: its sender is answered."""
    with Topology(offloads="off", uplinks=2) as topology:
        overlay = Overlay(topology, outer=4)
        topology.ours.ip("link set eth1 mtu 9000")
        overlay.apply(compiled(*ANY_DEVICES, NEXT_HOP_ROUTE), uplink="eth0,eth1", vtep=VTEP)
        topology.route_overlay("ours", "far", direct=False, mtu=8000, device="eth1")
        ours, far = topology.host("ours", 4), topology.host("far", 4)
        with overlay.counting() as counted:
            assert not ping(ours, far, count=1, size=1600, options=("-M", "do"))
        assert (counted["egress_rule_sites"], counted["egress_answered"]) == (0, 1)


def test_a_route_that_moves_is_followed(compiled: Compiled) -> None:
    with Topology(offloads="software", uplinks=2) as topology:
        overlay = Overlay(topology, outer=4)
        overlay.apply(compiled(*ANY_DEVICES, NEXT_HOP_ROUTE), uplink="eth0,eth1", vtep=VTEP)
        _arrives_on(topology, "to-ours", b"before")
        far, gateway = PLAN["far"].underlay[4], SECOND_UPLINK.gateway[4]
        topology.ours.ip(f"route add {far} via {gateway} dev eth1")
        time.sleep(KEPT)
        _arrives_on(topology, "to-ours1", b"after")


def test_a_neighbour_whose_mac_address_changes(compiled: Compiled) -> None:
    """Nothing else keeps the kernel's entry fresh: the inner packets go to the router. It does not stay wrong."""
    with one_cpu(), Topology(offloads="software") as topology:
        for name, value in (("delay_first_probe_time", 1), ("retrans_time_ms", 100), ("base_reachable_time_ms", 1000)):
            topology.ours.sysctl(f"net.ipv4.neigh.eth0.{name}", value)
        overlay = Overlay(topology, outer=4, through_router=True)
        overlay.apply(compiled(NEXT_HOP_ROUTE))
        ours, near = topology.host("ours", 4), topology.host("near", 4)
        entry = f"neigh replace {PLAN['near'].underlay[4]} dev eth0 lladdr {topology.mac('near')} nud"
        topology.ours.ip(f"{entry} reachable")
        assert ping(ours, near)
        topology.ours.ip(f"{entry} stale")
        # The change forgets near's neighbours; if it asked for ours, that would tell ours its new address.
        known = neighbour_line("eth0", PLAN["ours"].underlay[4], topology.mac("ours"))
        topology.near.ip("link set eth0 address 02:00:00:00:77:77", known)
        assert not ping(ours, near, timeout=0.5)
        with overlay.counting() as counted:
            until(lambda: bool(ping(ours, near, timeout=0.5)), "an answer by the new MAC address", timeout=20)
        assert counted["egress_next_hop_fallback"] == 0


def test_tunnel_endpoints_that_share_a_place(compiled: Compiled) -> None:
    """What one tunnel endpoint's packets confirmed is no neighbour of the other's, which has to be confirmed too."""
    with one_cpu(), Topology(offloads="software") as topology:
        overlay = Overlay(topology, outer=4, through_router=True)
        ours, far, gateway = PLAN["ours"].underlay[4], PLAN["far"].underlay[4], PLAN["ours"].gateway[4]
        other = _of_the_same_place(ours, far)
        topology.ours.ip(f"route replace {other} via {gateway} dev eth0", f"route add 10.77.0.0/16 via {gateway}")
        row = Site("other", "10.77.0.0/16", str(other), kernel_vxlan.OVERLAY_MACS["far"])
        overlay.apply(compiled(NEXT_HOP_ROUTE), rows=[*sites(4), row])
        for number in range(2):  # the neighbour is known, and far's packets confirmed it
            _arrives_on(topology, "to-ours", b"before %d" % number)
            time.sleep(KEPT)
        with overlay.counting() as counted:
            _send(topology, b"to the other", "10.77.0.1")
            _send(topology, b"to the first")
            _send(topology, b"to the first again")
        assert counted["egress_rule_sites"] == 3
        assert counted["egress_own_stack"] == 2


def _of_the_same_place(ours: IPv4Address | IPv6Address, far: IPv4Address | IPv6Address) -> IPv4Address:
    """A tunnel endpoint whose next hop is kept where far's is."""

    def place(address: IPv4Address | IPv6Address) -> int:
        mapped = hash_add(native(b"\0\0\xff\xff"), native(address.packed))
        return hash_add(mapped, native(ours.packed)) % 1024

    return next(a for a in IPv4Network("198.18.0.0/16") if place(a) == place(far))


def test_tunnel_endpoints_of_one_interface_identifier(compiled: Compiled) -> None:
    """One in each subnet, as ::1 of many: they differ in the prefix alone, and each keeps its next hop."""
    with one_cpu(), Topology(offloads="software") as topology:
        overlay = Overlay(topology, outer=6, through_router=True)
        far, gateway = PLAN["far"].underlay[6], PLAN["ours"].gateway[6]
        other = ip_address((0x20010DB8_00770000 << 64) + (int(far) & 0xFFFFFFFF_FFFFFFFF))
        near_gateway = f"via {PLAN['ours'].gateway[4]} dev eth0"
        topology.ours.ip(f"route add {other} via {gateway} dev eth0", f"route add 10.77.0.0/16 {near_gateway}")
        row = Site("other", "10.77.0.0/16", str(other), kernel_vxlan.OVERLAY_MACS["far"])
        overlay.apply(compiled(NEXT_HOP_ROUTE), rows=[*sites(6), row])
        for number in range(2):
            _send(topology, b"before %d" % number)
            _send(topology, b"before %d" % number, "10.77.0.1")
            time.sleep(KEPT)
        with overlay.counting() as counted:
            for number in range(4):
                _send(topology, b"to one %d" % number)
                _send(topology, b"to the other %d" % number, "10.77.0.1")
        assert counted["egress_rule_sites"] == 8
        assert counted["egress_own_stack"] <= 2  # a second may be over, for each of them


def test_a_neighbour_that_is_not_known_loses_nothing(compiled: Compiled) -> None:
    """The packet itself has the kernel ask for it, and waits."""
    with Topology(offloads="software") as topology:
        overlay = Overlay(topology, outer=4, through_router=True)
        overlay.apply(compiled(NEXT_HOP_ROUTE))
        for number in range(3):
            topology.ours.ip(f"neigh del {PLAN['ours'].gateway[4]} dev eth0")
            time.sleep(KEPT)
            _arrives_on(topology, "to-ours", b"unknown %d" % number)


def test_an_uplink_in_a_vrf(compiled: Compiled) -> None:
    """Its routes are those of the VRF, whatever the main table says of the tunnel endpoint."""
    with Topology(offloads="software", uplinks=2) as topology:
        ours, plan = topology.ours, PLAN["ours"]
        if ours.run(["ip", "link", "add", "red", "type", "vrf", "table", "10"], check=False).returncode:
            pytest.skip("this kernel has no VRF")
        ours.ip("link set red up", "link set eth0 master red")
        ours.ip(f"route replace default via {plan.gateway[4]} dev eth0 table 10")
        ours.ip(f"route replace default via {SECOND_UPLINK.gateway[4]} dev eth1")
        overlay = Overlay(topology, outer=4, through_router=True)
        ours.ip(f"route replace {PLAN['far'].prefix[4]} via {plan.gateway[4]} dev eth0 src {plan.overlay[4]}")
        overlay.apply(compiled(NEXT_HOP_ROUTE))
        for forwards in (1, 0):
            ours.sysctl("net.ipv4.conf.red.forwarding", forwards)
            time.sleep(KEPT)
            with overlay.counting() as counted:
                _arrives_on(topology, "to-ours", b"in the VRF")
            assert counted["egress_next_hop_fallback"] == (0 if forwards else 1)

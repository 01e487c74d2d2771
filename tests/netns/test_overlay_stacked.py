"""What already carries our headers passes a second program unharmed: stacked devices, two uplinks, a redirect."""

from __future__ import annotations

import socket

import pytest

from tests.support.frames import TunnelFrames, inner_datagram
from tests.support.links import mac_of, neighbour
from tests.support.overlay import ANY_DEVICES, Overlay
from tests.support.topology import PLAN, Topology
from tests.support.traffic import bulk_tcp, ping
from tests.support.wire import Capture, carries

from .conftest import Compiled

pytestmark = pytest.mark.kernel

MARK = b"encapsulated exactly once"
ONCE = 14 + 20 + 8 + 8 + 14 + 20 + 8 + len(MARK)
# The program's own MAC is the attached device's, so with several devices `vtep` is given and not taken from one.
VTEP = f"{PLAN['ours'].underlay[4]},{PLAN['ours'].underlay[6]}"


def _datagram_on(topology: Topology, port: str) -> bytes:
    """Send one datagram from ours to far and return the frame that arrives at a device of the router."""
    ours, far = topology.host("ours", 4), topology.host("far", 4)
    with Capture(topology.router, port) as wire, topology.ours.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind((ours.address, 0))
        sender.sendto(MARK, (far.address, 7103))
        frame = wire.first(lambda frame: carries(MARK)(frame) and not frame.outgoing, "the datagram").data
    assert len(frame) == ONCE
    return frame


def test_device_on_a_device(compiled: Compiled) -> None:
    """Both have the program: the upper one encapsulates, the lower one lets its packets through.

    `./dev matrix` does the same with a VLAN device, which not every kernel has.
    """
    with Topology(offloads="software") as topology:
        upper, gateway = "eth0.7", "lan"
        topology.ours.ip(f"link add link eth0 name {upper} type macvlan mode bridge", f"link set {upper} up")
        plan, mac = PLAN["ours"], mac_of(topology.ours, upper)
        for version in (4, 6):
            address = f"{plan.underlay[version]}/{plan.width[version]}"
            topology.ours.ip(f"addr del {address} dev eth0", f"addr add {address} dev {upper} nodad")
            neighbour(topology.ours, upper, plan.gateway[version], mac_of(topology.router, gateway))
            topology.router.ip(f"neigh del {plan.underlay[version]} dev lan")
            topology.router.ip(f"route replace {plan.underlay[version]} dev {gateway}")
            neighbour(topology.router, gateway, plan.underlay[version], mac)
        for version in (4, 6):
            topology.ours.ip(f"route replace default via {plan.gateway[version]} dev {upper}")
        overlay = Overlay(topology, outer=4, device=upper)
        far = topology.host("far", 4)
        overlay.apply(compiled(*ANY_DEVICES), uplink=f"{upper},eth0", vtep=VTEP)
        with overlay.counting() as counted:
            _datagram_on(topology, "to-ours")
            assert ping(topology.host("ours", 4), far)
            assert bulk_tcp(topology.host("ours", 4), far)
        assert counted["egress_own_stack"] > 10
        assert counted["egress_rule_sites"] > 10


@pytest.mark.parametrize("mac", ["vtep_mac", "uplink.mac"])
def test_two_uplinks(compiled: Compiled, mac: str) -> None:
    """Each has its own instance; moving the route moves the traffic, encapsulated all the same.

    The inner source MAC is the machine's where the spec has one for it, else that of the device it leaves by.
    """
    with Topology(offloads="software", uplinks=2) as topology:
        overlay = Overlay(topology, outer=4)
        bundle = compiled(*ANY_DEVICES, ("source: host.vtep_mac,", f"source: host.{mac},"))
        overlay.apply(bundle, uplink="eth0,eth1", vtep=VTEP)
        assert ping(topology.host("ours", 4), topology.host("far", 4))
        _datagram_on(topology, "to-ours")
        topology.route_overlay("ours", "far", direct=False, mtu=1450, device="eth1")
        frame = _datagram_on(topology, "to-ours1")
        assert frame[:6].hex(":") == mac_of(topology.router, "to-ours1")
        assert frame[14 + 12 : 14 + 16] == PLAN["ours"].underlay[4].packed
        assert frame[6:12].hex(":") == mac_of(topology.ours, "eth1")
        inner = mac_of(topology.ours, "eth0" if mac == "vtep_mac" else "eth1")
        assert frame[14 + 36 + 6 : 14 + 36 + 12].hex(":") == inner


def test_redirect_to_another_uplink(compiled: Compiled) -> None:
    """Another agent's filter behind ours sends what leaves eth0 out of eth1, whose program meets it again."""
    with Topology(offloads="software", uplinks=2) as topology:
        overlay = Overlay(topology, outer=4)
        overlay.apply(compiled(*ANY_DEVICES), uplink="eth0,eth1", vtep=VTEP)
        redirect = "u32 match u32 0 0 action mirred egress redirect dev eth1"
        topology.ours.tc(
            "qdisc replace dev eth0 clsact",
            f"filter add dev eth0 egress protocol ip pref 60000 {redirect}",
        )
        with overlay.counting() as counted:
            _datagram_on(topology, "to-ours1")
        assert counted["egress_own_stack"] == 1
        assert counted["egress_rule_sites"] == 1


def test_our_own_tunnel_packets_from_a_socket(compiled: Compiled) -> None:
    """A tunnel endpoint in user space, and a rule that covers its peers' addresses: its packets pass as they are."""
    with Topology(offloads="off") as topology:
        overlay = Overlay(topology, outer=4)
        overlay.apply(compiled(('[10.0.0.0/8, "fd00:10::/32"]', '[10.0.0.0/8, 192.0.2.0/24, "fd00:10::/32"]')))
        payload = bytes(TunnelFrames(topology).vxlan_payload(inner_datagram(4, MARK)))
        with (
            overlay.counting() as counted,
            Capture(topology.router, "to-ours") as wire,
            topology.ours.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
        ):
            sender.bind((str(PLAN["ours"].underlay[4]), 0))
            sender.sendto(payload, (str(PLAN["far"].underlay[4]), 4789))
            frame = wire.first(carries(MARK), "the tunnel packet").data
        assert len(frame) == ONCE
        assert counted["egress_own_stack"] == 1


def test_a_socket_cannot_pretend_to_be_a_tunnel(compiled: Compiled) -> None:
    """The port and the source are ours, but no tunnel terminates there: the rules decide, and have no row for it."""
    with Topology(offloads="off") as topology:
        overlay = Overlay(topology, outer=4)
        overlay.apply(compiled(('[10.0.0.0/8, "fd00:10::/32"]', '[10.0.0.0/8, 198.51.100.0/24, "fd00:10::/32"]')))
        with (
            overlay.counting() as counted,
            Capture(topology.router, "to-ours") as wire,
            topology.ours.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
        ):
            sender.bind((str(PLAN["ours"].underlay[4]), 0))
            sender.sendto(MARK, ("198.51.100.7", 4789))  # an application's own, unencapsulated if it passed
            sender.sendto(MARK, (str(PLAN["far"].underlay[4]), 4789))  # to an end, and so taken for ours: passes
            frame = wire.first(carries(MARK), "the packet to the end").data
        assert frame[14 + 16 : 14 + 20] == PLAN["far"].underlay[4].packed
        assert counted["egress_own_stack"] == 1
        assert counted["egress_miss_sites"] == 1

"""The demo's network: `ours` runs the compiled program, the other hosts the kernel's own VXLAN devices.

Every address is one that examples/vxlan-overlay.yaml has a row for, so the example runs unchanged.
"""

from __future__ import annotations

from tests.support import kernel_vxlan
from tests.support.links import neighbour
from tests.support.topology import PLAN, Topology
from tests.support.traffic import Host

PICTURE = """\
ours 192.0.2.30 ---+                               the program at eth0, no tunnel device
10.200.0.1         |
                   +-- router --- far 192.0.2.10   10.1.0.1 on the kernel's vxlan device
                   |              2001:db8::30     10.3.0.1 on another, over IPv6
near 192.0.2.20 ---+
10.2.0.1 on the kernel's vxlan device, on our own segment"""

VNI = 42
IPV6_SITE = {"device": "vx1", "mac": "02:00:00:00:10:03", "address": "10.3.0.1", "prefix": "10.3.0.0/16"}


class Stage:
    """Builds the network on top of the tests' topology."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        topology.overlay_on_loopback("ours")
        for role in ("far", "near"):
            kernel_vxlan.add_device(topology, role, VNI, outer=4)
            kernel_vxlan.add_peer(topology, role, "ours", topology.mac("ours"), outer=4)
            topology.route_overlay("ours", role, direct=role == "near", mtu=1500 - kernel_vxlan.OVERHEAD[4])
        self._ipv6_site()

    def _ipv6_site(self) -> None:
        """A second site on `far`, reached over IPv6. The kernel keeps the routes of the two sites apart by source."""
        far, ours, plan = self.topology.far, self.topology.ours, PLAN["ours"]
        device, address = IPV6_SITE["device"], IPV6_SITE["address"]
        local = PLAN["far"].underlay[6]
        kernel_vxlan.vxlan_device(far, device, IPV6_SITE["mac"], VNI, local, [address])
        kernel_vxlan.forward(far, device, self.topology.mac("ours"), plan.underlay[6])
        neighbour(far, device, plan.overlay[4], self.topology.mac("ours"))
        far.ip(f"route add {plan.prefix[4]} dev {device} src {address} table 7")
        far.ip(f"rule add from {address} lookup 7")
        mtu = 1500 - kernel_vxlan.OVERHEAD[6]
        words = f"via {plan.gateway[4]} dev eth0 mtu {mtu} src {plan.overlay[4]}"
        ours.ip(f"route add {IPV6_SITE['prefix']} {words}")

    def paths(self) -> list[tuple[str, Host, Host]]:
        """What carries traffic: a name for it and its two ends."""
        host = self.topology.host
        return [
            ("far    IPv4 in IPv4", host("ours", 4), host("far", 4)),
            ("far    IPv6 in IPv4", host("ours", 6), host("far", 6)),
            ("far    IPv4 in IPv6", host("ours", 4), Host(self.topology.far, IPV6_SITE["address"])),
            ("near   IPv4 in IPv4", host("ours", 4), host("near", 4)),
        ]

"""The test network: `ours` and `near` on one segment, a router, and `far` behind it.

    ours eth0 ---+
                 +-- lan (bridge) router wan --- eth0 far
    near eth0 ---+

Underlay addresses are on the devices; overlay addresses are one per host and family, on `lo` or on a tunnel device.
Underlay neighbours are permanent, so no test depends on ARP; `Topology(..., uplinks=2)` adds `eth1` with its own
segment between `ours` and the router.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address, ip_interface

from .links import Address, End, bridge, mac_of, neighbour_line, set_offloads, veth
from .netns import Namespace
from .traffic import Host


@dataclass(frozen=True)
class Addresses:
    """A host's addresses by IP version: `underlay[4]`, `overlay[6]`; `prefix` is the overlay network behind it."""

    underlay: dict[int, Address]
    width: dict[int, int]
    overlay: dict[int, Address]
    prefix: dict[int, str]
    gateway: dict[int, Address]


def _addresses(ipv4: str, ipv6: str, site: int) -> Addresses:
    """The underlay addresses with their widths and the site's number in the overlay. The gateway is the first host."""
    interfaces = {4: ip_interface(ipv4), 6: ip_interface(ipv6)}
    return Addresses(
        underlay={version: one.ip for version, one in interfaces.items()},
        width={version: one.network.prefixlen for version, one in interfaces.items()},
        gateway={version: one.network.network_address + 1 for version, one in interfaces.items()},
        overlay={4: ip_address(f"10.{site}.0.1"), 6: ip_address(f"fd00:10:{site}::1")},
        prefix={4: f"10.{site}.0.0/16", 6: f"fd00:10:{site}::/48"},
    )


# Chosen so that examples/vxlan-overlay.yaml runs here unchanged: far is its site fra (over IPv6: lon), near is ams.
PLAN = {
    "far": _addresses("192.0.2.10/28", "2001:db8::30/64", site=1),
    "near": _addresses("192.0.2.20/28", "2001:db8:1::20/64", site=2),
    "ours": _addresses("192.0.2.30/28", "2001:db8:1::10/64", site=200),
}
SECOND_UPLINK = _addresses("203.0.113.10/28", "2001:db8:2::10/64", site=200)


class Topology:
    """Builds the network; everything in it is gone after `destroy` or the `with` block."""

    def __init__(self, mtu: int = 1500, offloads: str = "on", uplinks: int = 1) -> None:
        self.ends: list[End] = []
        self.namespaces: dict[str, Namespace] = {}
        try:
            for role in ("router", "ours", "near", "far"):
                self.namespaces[role] = Namespace(role)
            self._cable(mtu, uplinks)
            self.set_offloads(offloads)
        except BaseException:
            self.destroy()
            raise

    def __enter__(self) -> Topology:
        return self

    def __exit__(self, *_: object) -> None:
        self.destroy()

    def destroy(self) -> None:
        for namespace in self.namespaces.values():
            namespace.destroy()

    @property
    def ours(self) -> Namespace:
        return self.namespaces["ours"]

    @property
    def near(self) -> Namespace:
        return self.namespaces["near"]

    @property
    def far(self) -> Namespace:
        return self.namespaces["far"]

    @property
    def router(self) -> Namespace:
        return self.namespaces["router"]

    def _cable(self, mtu: int, uplinks: int) -> None:
        router = self.router
        for role, port in (("ours", "to-ours"), ("near", "to-near"), ("far", "wan")):
            self.ends += veth(self.namespaces[role], "eth0", router, port, mtu)
        bridge(router, "lan", ["to-ours", "to-near"], mtu)
        gateways = {"ours": "lan", "near": "lan", "far": "wan"}
        for name in ("ipv4", "ipv6"):
            router.sysctl(f"net.{name}.conf.all.forwarding", 1)
        for role in ("ours", "far"):
            plan = PLAN[role]
            router.ip(*(f"addr add {plan.gateway[v]}/{plan.width[v]} dev {gateways[role]} nodad" for v in (4, 6)))
        # Packets to an on-link tunnel endpoint by the router must still arrive: the router sends it back where it came
        # from, and its redirect messages would teach hosts a shortcut that the test is about.
        for device in ("all", "lan"):
            router.sysctl(f"net.ipv4.conf.{device}.send_redirects", 0)
        for role, device in gateways.items():
            self._address(role, "eth0", PLAN[role], device)
        for role, other in (("ours", "near"), ("near", "ours")):
            mac = self.mac(other)
            self.namespaces[role].ip(*(neighbour_line("eth0", PLAN[other].underlay[v], mac) for v in (4, 6)))
        if uplinks == 2:
            self.ends += veth(self.ours, "eth1", router, "to-ours1", mtu)
            plan = SECOND_UPLINK
            router.ip(*(f"addr add {plan.gateway[v]}/{plan.width[v]} dev to-ours1 nodad" for v in (4, 6)))
            self._address("ours", "eth1", SECOND_UPLINK, "to-ours1", default_route=False)

    def _address(self, role: str, device: str, plan: Addresses, gateway: str, default_route: bool = True) -> None:
        namespace = self.namespaces[role]
        own, routers = mac_of(namespace, device), mac_of(self.router, gateway)
        lines = []
        for version in (4, 6):
            lines.append(f"addr add {plan.underlay[version]}/{plan.width[version]} dev {device} nodad")
            lines.append(neighbour_line(device, plan.gateway[version], routers))
            if default_route:
                lines.append(f"route add default via {plan.gateway[version]} dev {device}")
        namespace.ip(*lines)
        self.router.ip(*(neighbour_line(gateway, plan.underlay[version], own) for version in (4, 6)))

    def set_offloads(self, mode: str) -> None:
        """Set the offloads of every device in the network, see `links.OFFLOADS`."""
        for end in self.ends:
            set_offloads(end, mode)

    def mac(self, role: str, device: str = "eth0") -> str:
        return mac_of(self.namespaces[role], device)

    def host(self, role: str, version: int) -> Host:
        """A host by its overlay address."""
        return Host(self.namespaces[role], str(PLAN[role].overlay[version]))

    def underlay_host(self, role: str, version: int) -> Host:
        return Host(self.namespaces[role], str(PLAN[role].underlay[version]))

    def overlay_on_loopback(self, role: str) -> None:
        """Give a host its overlay addresses without any tunnel: where programs on the uplink do the tunnelling."""
        plan = PLAN[role]
        self.namespaces[role].ip(*(f"addr add {plan.overlay[version]} dev lo nodad" for version in (4, 6)))

    def route_overlay(self, role: str, to: str, direct: bool, mtu: int, device: str = "eth0") -> None:
        """Send the overlay prefixes behind `to` by its own underlay address or the gateway, with room for headers.

        The next hop is of the inner family: for the neighbour's MAC, which is all of it that counts, it is the same.
        """
        plan = SECOND_UPLINK if device == "eth1" else PLAN[role]
        for version, prefix in PLAN[to].prefix.items():
            via = PLAN[to].underlay[version] if direct else plan.gateway[version]
            words = f"via {via} dev {device} mtu {mtu} src {plan.overlay[version]}"
            self.namespaces[role].ip(f"route replace {prefix} {words}")

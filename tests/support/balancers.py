"""Two load balancers with the kernel's own tunnel devices before a server that reflects. `near` and `far` are balancer
and client in one; the server is `ours`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from . import cli, kernel_tunnels
from .links import neighbour_line
from .topology import PLAN, Topology
from .traffic import Host

EXAMPLE = cli.ROOT / "examples" / "vxlan-return.yaml"
BALANCERS = ("near", "far")
DEVICE = "tun0"
VNI = 77
VIP = {4: "203.0.113.9", 6: "2001:db8:ff::9"}
VIPS = {4: "203.0.113.0/24", 6: "2001:db8:ff::/48"}
CLIENTS = {"near": {4: "198.51.100.20", 6: "2001:db8:c::20"}, "far": {4: "198.51.100.10", 6: "2001:db8:c::10"}}
SECOND = {4: "192.0.2.21", 6: "2001:db8:1::21"}  # another address of `near`
_WIDTH = {4: 28, 6: 64}


@dataclass(frozen=True)
class Encapsulation:
    """How balancers encapsulate. `types` are the devices over each outer family, by the inner family where one device
    does not carry both; `wire` is how nftables knows its packets over each outer family."""

    types: dict[int, dict[int, str]]
    wire: dict[int, str]
    overhead: int  # behind the outer IP header
    framed: bool = False  # an Ethernet header inside


def _udp(port: int) -> dict[int, str]:
    return dict.fromkeys((4, 6), f"udp dport {port}")


ENCAPSULATIONS = {
    "vxlan": Encapsulation({4: {0: "vxlan-nocsum"}, 6: {0: "vxlan-nocsum"}}, _udp(4789), 8 + 8 + 14, framed=True),
    "geneve": Encapsulation({4: {0: "geneve-nocsum"}, 6: {0: "geneve"}}, _udp(6081), 8 + 8 + 14, framed=True),
    "gre": Encapsulation({4: {0: "gre"}, 6: {0: "ip6gre"}}, {4: "ip protocol gre", 6: "ip6 nexthdr gre"}, 4 + 4),
    "gue": Encapsulation(
        {4: {4: "ipip-gue", 6: "sit-gue"}, 6: {0: "ip6tnl-gue"}}, _udp(kernel_tunnels.GUE_PORT), 8 + 4
    ),
}


class Server:
    """`ours` with the VIPs on its loopback; the balancers reach them over an underlay of IP version `outer`."""

    def __init__(
        self,
        topology: Topology,
        outer: int,
        encapsulation: str = "vxlan",
        vnis: Mapping[str, int] | None = None,
    ) -> None:
        self.topology, self.outer = topology, outer
        self._encapsulation = ENCAPSULATIONS[encapsulation]
        topology.ours.ip(*(f"addr add {VIP[version]} dev lo nodad" for version in (4, 6)))
        for role in BALANCERS:
            topology.namespaces[role].ip(*self._own_lines(role, "add"))
            self.tunnel(role, DEVICE, PLAN[role].underlay[outer], (vnis or {}).get(role, VNI))
            self.send_through(role, DEVICE)
        self._watch()

    def tunnel(self, role: str, device: str, local: object, vni: int = VNI) -> None:
        """A tunnel of a balancer, from one of its addresses to the server."""
        namespace, mac = self.topology.namespaces[role], self.topology.mac("ours")
        number = "01" if role == "near" else "02"
        address = f"address 02:00:00:00:{number}:{device[-1]}0 " if self._encapsulation.framed else ""
        mtu = 1500 - {4: 20, 6: 40}[self.outer] - self._encapsulation.overhead
        for inner, type_ in self._encapsulation.types[self.outer].items():
            name = _name(device, inner)
            words = kernel_tunnels.TYPE[type_].format(key=vni, local=local, remote=PLAN["ours"].underlay[self.outer])
            lines = [f"link add {name} {address}type {words}", f"link set {name} mtu {mtu} addrgenmode none up"]
            if self._encapsulation.framed:
                lines += [neighbour_line(name, VIP[version], mac) for version in (4, 6)]
            namespace.ip(*lines)
            namespace.sysctl(f"net/ipv4/conf/{name}/rp_filter", 0)

    def _own_lines(self, role: str, verb: str) -> list[str]:
        """What a balancer has besides its tunnels, to add or delete it."""
        nodad = " nodad" if verb == "add" else ""
        lines = [f"addr {verb} {address} dev lo{nodad}" for address in CLIENTS[role].values()]
        port = kernel_tunnels.gue_port(verb, self.outer)
        return [*lines, port] if self._encapsulation is ENCAPSULATIONS["gue"] else lines

    def close(self) -> None:
        """Leave the topology as it was, for another server."""
        cli.remove(self.topology.ours, self.bundle)
        self.topology.ours.ip(*(f"addr del {VIP[version]} dev lo" for version in (4, 6)))
        self.topology.router.run(["nft", "delete table netdev wire"])
        for role in BALANCERS:
            devices = [_name(DEVICE, inner) for inner in self._encapsulation.types[self.outer]]
            lines = [f"link del {device}" for device in devices]
            self.topology.namespaces[role].ip(*lines, *self._own_lines(role, "del"))

    def second_tunnel(self, device: str) -> None:
        """Let `near` have another address, and a tunnel from there with another identifier."""
        second = SECOND[self.outer]
        self.topology.near.ip(f"addr add {second}/{_WIDTH[self.outer]} dev eth0 nodad")
        self.tunnel("near", device, second, VNI + 1)

    def without_second_tunnel(self, device: str) -> None:
        self.send_through("near", DEVICE)
        self.topology.near.ip(f"link del {device}", f"addr del {SECOND[self.outer]}/{_WIDTH[self.outer]} dev eth0")

    def send_through(self, role: str, device: str) -> None:
        """Let a balancer's packets to the VIPs take a tunnel."""
        types, lines = self._encapsulation.types[self.outer], []
        for version in (4, 6):
            # A client that believes in 1500 bytes to the server and back, as clients on the Internet do.
            words = f"src {CLIENTS[role][version]} advmss {1460 if version == 4 else 1440}"
            name = _name(device, version if version in types else 0)
            lines.append(f"route replace {VIPS[version]} dev {name} {words}")
        self.topology.namespaces[role].ip(*lines)

    def apply(self, bundle: Path) -> None:
        self.bundle = bundle
        cli.apply(self.topology.ours, bundle, uplink="eth0")

    def client(self, role: str, version: int) -> Host:
        return Host(self.topology.namespaces[role], CLIENTS[role][version])

    def vip(self, version: int) -> Host:
        return Host(self.topology.ours, VIP[version])

    def counters(self) -> Counter[str]:
        return Counter({row["name"]: row["packets"] for row in cli.stats(self.topology.ours, self.bundle)})

    def _watch(self) -> None:
        """Counters of nftables, where the server's packets come onto the wire."""
        rules = [f"ip saddr {VIPS[4]} counter name unencapsulated", f"ip6 saddr {VIPS[6]} counter name unencapsulated"]
        word, what = "ip" if self.outer == 4 else "ip6", self._encapsulation.wire[self.outer]
        for role in BALANCERS:
            rules.append(f"{word} daddr {PLAN[role].underlay[self.outer]} {what} counter name {role}")
        names = "".join(f"counter {name} {{}}\n" for name in ("unencapsulated", *BALANCERS))
        chain = "\n".join(["type filter hook ingress device to-ours priority 0;", *rules])
        self.topology.router.run(["nft", f"table netdev wire {{\n{names}chain server {{\n{chain}\n}}\n}}"])

    def wire(self) -> Counter[str]:
        """Packets on the wire: `unencapsulated` from a VIP, and those that go to each balancer."""
        said = self.topology.router.run(["nft", "-j", "list", "counters", "table", "netdev", "wire"]).stdout
        found = [entry["counter"] for entry in json.loads(said)["nftables"] if "counter" in entry]
        return Counter({counter["name"]: counter["packets"] for counter in found})


def _name(device: str, inner: int) -> str:
    return f"{device}-{inner}" if inner else device

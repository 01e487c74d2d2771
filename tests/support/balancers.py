"""Two load balancers with the kernel's own vxlan devices before a server that reflects: the network of the tests of
examples/vxlan-return.yaml. `near` and `far` are balancer and client in one; the server is `ours`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from . import cli, kernel_vxlan
from .links import neighbour
from .topology import PLAN, Topology
from .traffic import Host

EXAMPLE = cli.ROOT / "examples" / "vxlan-return.yaml"
BALANCERS = ("near", "far")
VNI = 77
VIP = {4: "203.0.113.9", 6: "2001:db8:ff::9"}
VIPS = {4: "203.0.113.0/24", 6: "2001:db8:ff::/48"}
CLIENTS = {"near": {4: "198.51.100.20", 6: "2001:db8:c::20"}, "far": {4: "198.51.100.10", 6: "2001:db8:c::10"}}


class Server:
    """`ours` with the VIPs on its loopback; the balancers reach them over an underlay of IP version `outer`."""

    def __init__(self, topology: Topology, outer: int, vnis: Mapping[str, int] | None = None) -> None:
        self.topology, self.outer = topology, outer
        numbers = vnis or dict.fromkeys(BALANCERS, VNI)
        topology.ours.ip(*(f"addr add {VIP[version]} dev lo nodad" for version in (4, 6)))
        for role in BALANCERS:
            addresses = list(CLIENTS[role].values())
            self.tunnel(role, kernel_vxlan.DEVICE, PLAN[role].underlay[outer], addresses, numbers[role])
            self.send_through(role, kernel_vxlan.DEVICE)
        self._watch()

    def tunnel(self, role: str, device: str, local: object, addresses: list[str], vni: int = VNI) -> None:
        """A vxlan device of a balancer, from one of its addresses to the server."""
        namespace, mac = self.topology.namespaces[role], self.topology.mac("ours")
        number = "01" if role == "near" else "02"
        kernel_vxlan.vxlan_device(namespace, device, f"02:00:00:00:{number}:{device[-1]}0", vni, local, addresses)
        kernel_vxlan.forward(namespace, device, mac, PLAN["ours"].underlay[self.outer])
        for version in (4, 6):
            neighbour(namespace, device, VIP[version], mac)
            namespace.sysctl(f"net/ipv{version}/conf/{device}/{'rp_filter' if version == 4 else 'accept_dad'}", 0)

    def send_through(self, role: str, device: str) -> None:
        """Let a balancer's packets to the VIPs take a tunnel."""
        for version in (4, 6):
            # A client that believes in 1500 bytes to the server and back, as clients on the Internet do.
            words = f"dev {device} src {CLIENTS[role][version]} advmss {1460 if version == 4 else 1440}"
            self.topology.namespaces[role].ip(f"route replace {VIPS[version]} {words}")

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
        rules = [f"ip saddr {VIPS[4]} counter name clear", f"ip6 saddr {VIPS[6]} counter name clear"]
        word = "ip" if self.outer == 4 else "ip6"
        for role in BALANCERS:
            rules.append(f"{word} daddr {PLAN[role].underlay[self.outer]} udp dport 4789 counter name {role}")
        names = "".join(f"counter {name} {{}}\n" for name in ("clear", *BALANCERS))
        chain = "\n".join(["type filter hook ingress device to-ours priority 0;", *rules])
        self.topology.router.run(["nft", f"table netdev wire {{\n{names}chain server {{\n{chain}\n}}\n}}"])

    def wire(self) -> Counter[str]:
        """Packets on the wire: `clear` with a VIP as their outer source, and those that go to each balancer."""
        said = self.topology.router.run(["nft", "-j", "list", "counters", "table", "netdev", "wire"]).stdout
        found = [entry["counter"] for entry in json.loads(said)["nftables"] if "counter" in entry]
        return Counter({counter["name"]: counter["packets"] for counter in found})

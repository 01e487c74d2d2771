"""The kernel's own VXLAN device as the independent other side, with everything that could be learned set by hand."""

from __future__ import annotations

from collections.abc import Iterable

from .links import neighbour
from .netns import Namespace
from .topology import PLAN, Topology

DEVICE = "vx0"
PORT = 4789
OVERHEAD = {4: 50, 6: 70}

# Of the hosts' vxlan devices; those of near and far stand in the rows of examples/vxlan-overlay.yaml.
OVERLAY_MACS = {"far": "02:00:00:00:10:01", "near": "02:00:00:00:10:02", "ours": "02:00:00:00:10:c8"}


def vxlan_device(
    namespace: Namespace, device: str, mac: str, vni: int, local: object, addresses: Iterable[object], port: int = PORT
) -> None:
    """A vxlan device on eth0, its MTU what a 1500 byte path leaves."""
    outer = 6 if ":" in str(local) else 4
    checksum = "noudpcsum" if outer == 4 else "udp6zerocsumtx udp6zerocsumrx"
    namespace.ip(
        f"link add {device} address {mac} mtu {1500 - OVERHEAD[outer]} type vxlan id {vni} dstport {port}"
        f" local {local} dev eth0 nolearning {checksum}",
        f"link set {device} up",
        *(f"addr add {address} dev {device} nodad" for address in addresses),
    )


def forward(namespace: Namespace, device: str, mac: str, remote: object) -> None:
    """Let a vxlan device send frames for an inner MAC to a tunnel endpoint."""
    namespace.run(f"bridge fdb replace {mac} dev {device} dst {remote} self permanent".split())


def add_device(topology: Topology, role: str, vni: int, outer: int, port: int = PORT) -> None:
    """A host's vxlan device with its overlay addresses. `outer` is the underlay's IP version."""
    plan = PLAN[role]
    addresses = [plan.overlay[version] for version in (4, 6)]
    vxlan_device(topology.namespaces[role], DEVICE, OVERLAY_MACS[role], vni, plan.underlay[outer], addresses, port)


def add_peer(topology: Topology, role: str, peer: str, peer_mac: str, outer: int) -> None:
    """Let a host's vxlan device reach another host, whose inner MAC is given: routes, neighbours, forwarding entry."""
    namespace, plan = topology.namespaces[role], PLAN[peer]
    forward(namespace, DEVICE, peer_mac, plan.underlay[outer])
    for version in (4, 6):
        namespace.ip(f"route replace {plan.prefix[version]} dev {DEVICE} src {PLAN[role].overlay[version]}")
        neighbour(namespace, DEVICE, plan.overlay[version], peer_mac)


def connect(topology: Topology, left: str, right: str, vni: int, outer: int) -> None:
    """The kernel's device on both sides: the baseline that every test of ours is compared with."""
    for role, other in ((left, right), (right, left)):
        add_device(topology, role, vni, outer)
        add_peer(topology, role, other, OVERLAY_MACS[other], outer)

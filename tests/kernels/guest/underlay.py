"""The path between the tunnel ends: three hosts, each on its own link of a router, over veth."""

from __future__ import annotations

from pathlib import Path

from . import offloads, plan
from .namespaces import inside, ip

ROUTER = "router"


def build() -> None:
    """Create the namespaces, links and outer routes, and give every host its inner addresses."""
    ip(None, [f"netns add {name}" for name in (*plan.HOSTS, ROUTER)])
    for namespace in (*plan.HOSTS, ROUTER):
        # Addresses are usable at once. Link-local ones stay: a router asks for its neighbours from them.
        for scope in ("all", "default"):
            set_sysctl(namespace, f"net.ipv6.conf.{scope}.accept_dad", "0")
    for host in plan.HOSTS.values():
        _connect(host)
    ip(ROUTER, ["link set lo up", "route add blackhole 10.0.0.0/8", "route add blackhole fd00::/8"])
    set_sysctl(ROUTER, "net.ipv4.ip_forward", "1")
    set_sysctl(ROUTER, "net.ipv6.conf.all.forwarding", "1")


def _connect(host: plan.Host) -> None:
    """A host on its own link of the router."""
    ip(None, [f"link add eth0 address {host.mac} netns {host.name} type veth peer name {host.name} netns {ROUTER}"])
    on_router = [f"address add {a}/{_length(a)} dev {host.name} nodad" for a in host.router.values()]
    ip(ROUTER, [f"link set {host.name} up", *on_router])
    side = plan.OURS if host.name == "ours" else plan.PEER
    addresses = [f"address add {a}/{_length(a)} dev eth0 nodad" for a in host.outer.values()]
    addresses += [f"address add {a}/{_full(a)} dev lo nodad" for a in plan.every_inner(side)]
    ip(host.name, ["link set lo up", "link set eth0 up", *addresses])
    # The default route carries the outer packets, and no inner one: the router drops those.
    ip(host.name, [f"route add default via {router}" for router in host.router.values()])
    set_sysctl(host.name, "net.ipv4.ping_group_range", "0 0")


def _length(address: str) -> int:
    return 64 if ":" in address else 24


def _full(address: str) -> int:
    return 128 if ":" in address else 32


def set_sysctl(namespace: str, name: str, value: str) -> None:
    """Write a sysctl of a namespace: /proc/sys/net shows the namespace of the thread that opens it."""
    with inside(namespace):
        Path("/proc/sys", *name.split(".")).write_text(value)


def set_offloads(mode: str) -> None:
    """Switch segmentation on every link, both ends."""
    for host in plan.HOSTS:
        offloads.set_mode(host, "eth0", mode)
        offloads.set_mode(ROUTER, host, mode)
        # More segments than a device takes are split before it, whatever it could do.
        ip(host, [f"link set eth0 gso_max_segs {1 if mode == 'split' else 65535}"])

"""The path between the tunnel endpoints: three hosts, each on a link of its own to a router, and variations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
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
    ip(ROUTER, [f"link set {host.name} up"])
    side = plan.OURS if host.name == "ours" else plan.PEER
    inner = [f"address add {a}/{_full(a)} dev lo nodad" for a in plan.every_inner(side)]
    ip(host.name, ["link set lo up", "link set eth0 up", *inner])
    _address(host, "eth0", host.name)
    set_sysctl(host.name, "net.ipv4.ping_group_range", "0 0")


def _address(host: plan.Host, device: str, port: str) -> None:
    """Put a host's and the router's addresses of their common link on their devices."""
    ip(ROUTER, [f"address add {a}/{_length(a)} dev {port} nodad" for a in host.router.values()])
    ip(host.name, [f"address add {a}/{_length(a)} dev {device} nodad" for a in host.outer.values()])
    # The default route carries the outer packets, and no inner one: the router drops those.
    ip(host.name, [f"route replace default via {router} dev {device}" for router in host.router.values()])


@contextmanager
def on_vlan(number: int) -> Iterator[str]:
    """While the block runs, our link is a VLAN of itself; yields the device that has our addresses."""
    ours = plan.HOSTS["ours"]
    device, port = f"eth0.{number}", f"ours.{number}"
    ip(ROUTER, [f"address del {a}/{_length(a)} dev ours" for a in ours.router.values()])
    ip("ours", [f"address del {a}/{_length(a)} dev eth0" for a in ours.outer.values()])
    ip(ROUTER, [f"link add link ours name {port} type vlan id {number}", f"link set {port} up"])
    ip("ours", [f"link add link eth0 name {device} type vlan id {number}", f"link set {device} up"])
    _address(ours, device, port)
    try:
        yield device
    finally:
        ip(ROUTER, [f"link del {port}"])
        ip("ours", [f"link del {device}"])
        _address(ours, "eth0", "ours")


@contextmanager
def second_on_link() -> Iterator[None]:
    """While the block runs, there is another host on our link, which forwards nothing."""
    host = plan.ON_LINK
    ip(None, [f"netns add {host.name}"])
    try:
        for scope in ("all", "default"):
            set_sysctl(host.name, f"net.ipv6.conf.{scope}.accept_dad", "0")
        # Above the router's port: what comes for this address leaves there, what is for the router stays.
        macvlan = f"link add link ours name eth0 address {host.mac} netns {host.name} type macvlan mode private"
        ip(ROUTER, [macvlan])
        addresses = [f"address add {a}/{_length(a)} dev eth0 nodad" for a in host.outer.values()]
        addresses += [f"address add {a}/{_full(a)} dev lo nodad" for a in plan.every_inner(plan.SECOND)]
        ip(host.name, ["link set lo up", "link set eth0 up", *addresses])
        yield
    finally:
        ip(None, [f"netns del {host.name}"])


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

"""The kernel's own tunnel devices: one tunnel endpoint, in any namespace."""

from __future__ import annotations

from dataclasses import dataclass

from tests.support.kernel_tunnels import TYPE, gue_port

from ..cells import FRAMED, Kind
from . import plan
from .namespaces import ip


@dataclass(frozen=True)
class End:
    """One tunnel endpoint. `routes` are the (source, destination) pairs of inner addresses that go through it."""

    kind: Kind
    namespace: str
    device: str
    remote: str  # the host at the other end
    key: int
    routes: tuple[tuple[str, str], ...]
    mac: str = ""  # of this device, where it has one
    remote_mac: str = ""

    def create(self) -> None:
        local = plan.host(self.namespace).outer[self.kind.outer]
        remote = plan.host(self.remote).outer[self.kind.outer]
        ethernet = self.kind.encapsulation in FRAMED
        address = f"address {self.mac} " if ethernet else ""
        what = TYPE[self.kind.name].format(key=self.key, local=local, remote=remote)
        commands = [
            f"link add {self.device} {address}type {what}",
            f"link set {self.device} mtu {plan.TUNNEL_MTU} addrgenmode none up",
        ]
        if ethernet:  # nobody answers ARP or neighbour discovery at an end that has no Ethernet device
            commands += [
                f"neigh add {destination} lladdr {self.remote_mac} dev {self.device} nud permanent"
                for _, destination in self.routes
            ]
        commands += [
            f"route add {plan.network(destination)} dev {self.device} src {source}"
            for source, destination in self.routes
        ]
        ip(self.namespace, [*self._port("add"), *commands])

    def delete(self) -> None:
        ip(self.namespace, [f"link del {self.device}", *self._port("del")])

    def _port(self, verb: str) -> list[str]:
        """Where GUE is received: not the device's part. Of several in a namespace the first brings it."""
        first = "gue" in self.kind.encapsulation and self.device in ("t0", f"t{plan.Tunnel.STRANGER:d}")
        return [gue_port(verb, 6 if self.kind.outer == "ipv6" else 4)] if first else []


def good_end(kind: Kind, namespace: str) -> End:
    """The end of any host's tunnel to us that has the right key."""
    side = plan.SIDES[namespace]
    pairs = [(plan.inner(side, kind.outer, f), plan.inner(plan.OURS, kind.outer, f)) for f in kind.inner]
    return End(kind, namespace, "t0", "ours", plan.KEY, tuple(pairs), plan.PEER_MAC, plan.OUR_MAC)


def towards_us(kind: Kind, tunnel: plan.Tunnel) -> End:
    """The end of the peer, or of the stranger, for one tunnel."""
    pairs = (
        (plan.inner(plan.PEER, kind.outer, family, tunnel), plan.inner(plan.OURS, kind.outer, family, tunnel))
        for family in kind.inner
    )
    namespace = "stranger" if tunnel is plan.Tunnel.STRANGER else "peer"
    key = plan.KEY_TO_US if tunnel is plan.Tunnel.WRONG else plan.KEY
    return End(kind, namespace, f"t{tunnel:d}", "ours", key, tuple(pairs), plan.PEER_MAC, plan.OUR_MAC)


def towards_peer(kind: Kind, tunnel: plan.Tunnel) -> End:
    """Our end, when the kernel stands in for our program."""
    pairs = (
        (plan.inner(plan.OURS, kind.outer, family, tunnel), plan.inner(plan.PEER, kind.outer, family, tunnel))
        for family in kind.inner
    )
    key = plan.KEY_TO_PEER if tunnel is plan.Tunnel.WRONG else plan.KEY
    return End(kind, "ours", f"t{tunnel:d}", "peer", key, tuple(pairs), plan.OUR_MAC, plan.PEER_MAC)


def ends_towards_us(kind: Kind) -> list[End]:
    """What the other side of one kind of device needs: the good tunnel, the wrong key, the stranger."""
    tunnels = [plan.Tunnel.GOOD, plan.Tunnel.STRANGER]
    if kind.keyed:
        tunnels.append(plan.Tunnel.WRONG)
    return [towards_us(kind, tunnel) for tunnel in tunnels]

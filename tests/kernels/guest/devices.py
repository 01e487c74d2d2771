"""The kernel's own tunnel devices: one end of a tunnel, in any namespace."""

from __future__ import annotations

from dataclasses import dataclass

from ..cells import FRAMED, Kind
from . import plan
from .namespaces import ip

_GUE = "encap gue encap-sport auto encap-dport 6080 noencap-csum noencap-remcsum"
_TYPE = {
    "vxlan": "vxlan id {key} dstport 4789 local {local} remote {remote} nolearning udp6zerocsumrx",
    "vxlan-nocsum": "vxlan id {key} dstport 4789 local {local} remote {remote} nolearning "
    "noudpcsum udp6zerocsumtx udp6zerocsumrx",
    "ipip": "ipip local {local} remote {remote} mode ipip",
    "sit": "sit local {local} remote {remote} mode ip6ip",
    "ip6tnl-any": "ip6tnl local {local} remote {remote} mode any encaplimit none",
    "ip6tnl-ipip6": "ip6tnl local {local} remote {remote} mode ipip6 encaplimit none",
    "ip6tnl-ip6ip6": "ip6tnl local {local} remote {remote} mode ip6ip6 encaplimit none",
    "ip6tnl-any-limit": "ip6tnl local {local} remote {remote} mode any",
    "geneve": "geneve id {key} dstport 6081 remote {remote} udp6zerocsumrx",
    "geneve-nocsum": "geneve id {key} dstport 6081 remote {remote} noudpcsum",
    "ipip-gue": f"ipip local {{local}} remote {{remote}} mode ipip {_GUE}",
    "sit-gue": f"sit local {{local}} remote {{remote}} mode ip6ip {_GUE}",
    "ip6tnl-gue": f"ip6tnl local {{local}} remote {{remote}} mode any encaplimit none {_GUE}",
    "gre": "gre local {local} remote {remote} key {key}",
    "ip6gre": "ip6gre local {local} remote {remote} key {key} encaplimit none",
    "ip6gre-limit": "ip6gre local {local} remote {remote} key {key}",
}


@dataclass(frozen=True)
class End:
    """One end of a tunnel. `routes` are the (source, destination) pairs of inner addresses that go through it."""

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
        what = _TYPE[self.kind.name].format(key=self.key, local=local, remote=remote)
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
        """Where GUE is received: not the device's part. No namespace has two devices that need it."""
        family = " -6" if self.kind.outer == "ipv6" else ""
        what = " gue" if verb == "add" else ""
        return [f"fou {verb} port 6080{what}{family}"] if self.kind.encapsulation == "gue" else []


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

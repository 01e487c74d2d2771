"""Our side of the tunnel behind one interface: encapctl with a compiled bundle, or the kernel's own device.

The kernel against itself proves the scenarios; what they say about our program is then worth something.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from ..cells import Kind
from . import plan
from .devices import towards_peer
from .encapctl import encapctl
from .leftovers import leftovers, snapshot
from .namespaces import ip
from .traffic import FailedError

DEVICE = "eth0"


class OurSide(Protocol):
    """How the scenarios use our side. `up` and `down` frame an encapsulation, `meet` and `part` one kind of peer."""

    checks_source: bool  # whether an outer source that is not listed is refused with VXLAN too

    def up(self, encapsulation: str) -> None: ...
    def meet(self, kind: Kind) -> None: ...
    def part(self, kind: Kind) -> None: ...
    def down(self, encapsulation: str) -> None: ...


class KernelSide:
    """The kernel's device of the same kind at both ends."""

    checks_source = False  # a vxlan device takes packets of its VNI from anybody

    def up(self, encapsulation: str) -> None:
        pass

    def meet(self, kind: Kind) -> None:
        towards_peer(kind, plan.Tunnel.GOOD).create()
        if kind.keyed:
            towards_peer(kind, plan.Tunnel.WRONG).create()

    def part(self, kind: Kind) -> None:
        towards_peer(kind, plan.Tunnel.GOOD).delete()
        if kind.keyed:
            towards_peer(kind, plan.Tunnel.WRONG).delete()

    def down(self, encapsulation: str) -> None:
        pass


class EncapctlSide:
    """A compiled bundle, applied to our uplink."""

    checks_source = True

    def __init__(self, bundles: Path) -> None:
        self._bundles = bundles

    def up(self, encapsulation: str) -> None:
        # The operator's part: routes that bring inner packets to the uplink with room for the outer headers. Each
        # names its source, as the peer's tunnel end answers only to the tunnel's own inner addresses.
        routes = [
            f"route replace {plan.network(destination)} via {plan.HOSTS['ours'].router[family]} dev {DEVICE} "
            f"src {plan.inner(plan.OURS, outer, family, tunnel)} mtu {plan.TUNNEL_MTU}"
            for outer in ("ipv4", "ipv6")
            for family in ("ipv4", "ipv6")
            for tunnel in plan.Tunnel
            for destination in (plan.inner(plan.PEER, outer, family, tunnel),)
        ]
        ip("ours", routes)
        self._before = snapshot("ours", DEVICE)
        ran = encapctl("ours", "apply", str(self._bundles / f"matrix-{encapsulation}"), "--set", f"uplink={DEVICE}")
        if ran.code:
            raise FailedError(str(ran))

    def meet(self, kind: Kind) -> None:
        pass

    def part(self, kind: Kind) -> None:
        pass

    def down(self, encapsulation: str) -> None:
        ran = encapctl("ours", "remove", f"matrix-{encapsulation}")
        if ran.code:
            raise FailedError(str(ran))
        if left := leftovers(self._before, "ours", DEVICE):
            raise FailedError(f"remove left {len(left)} things: {'; '.join(left)}")

"""Our side of the tunnel behind one interface: encapctl with a compiled bundle, or the kernel's own device.

The kernel against itself proves the scenarios; what they say about our program is then worth something.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
NEXT_HOPS = {plan.PEER: plan.HOSTS["ours"].router}  # the inner routes to a side -> whose addresses they name


class OurSide(Protocol):
    """How the scenarios use our side. `up` and `down` frame an encapsulation, `meet` and `part` one kind of peer."""

    checks_source: bool  # whether an outer source that is not listed is refused with VXLAN too
    checks_options: bool  # whether only the usual form of an encapsulation limit is taken

    def up(self, encapsulation: str) -> None: ...
    def meet(self, kind: Kind) -> None: ...
    def part(self, kind: Kind) -> None: ...
    def down(self, encapsulation: str) -> None: ...


class KernelSide:
    """The kernel's device of the same kind at both ends."""

    checks_source = False  # a vxlan device takes packets of its VNI from anybody
    checks_options = False

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
    checks_options = True

    def __init__(
        self,
        bundles: Path,
        device: str = DEVICE,
        settings: Sequence[str] = (f"uplink={DEVICE}",),
        next_hops: Mapping[int, Mapping[str, str]] = NEXT_HOPS,
    ) -> None:
        self._bundles, self._device, self._settings, self._next_hops = bundles, device, settings, next_hops

    def up(self, encapsulation: str) -> None:
        # The operator's part: routes that bring inner packets to the uplink with room for the outer headers. Each
        # names its source, as the peer's tunnel endpoint answers only to the tunnel's own inner addresses.
        routes = [
            f"route replace {plan.network(destination)} via {next_hop[family]} dev {self._device} "
            f"src {plan.inner(plan.OURS, outer, family, tunnel)} mtu {plan.TUNNEL_MTU}"
            for side, next_hop in self._next_hops.items()
            for outer in ("ipv4", "ipv6")
            for family in ("ipv4", "ipv6")
            for tunnel in plan.Tunnel
            for destination in (plan.inner(side, outer, family, tunnel),)
        ]
        ip("ours", routes)
        self._before = snapshot("ours", self._device)
        settings = [word for setting in self._settings for word in ("--set", setting)]
        ran = encapctl("ours", "apply", str(self._bundles / f"matrix-{encapsulation}"), *settings)
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
        if left := leftovers(self._before, "ours", self._device):
            raise FailedError(f"remove left {len(left)} things: {'; '.join(left)}")

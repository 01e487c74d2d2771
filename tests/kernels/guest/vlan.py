"""Our program on a VLAN device and on its parent: what one has encapsulated, the other lets through."""

from __future__ import annotations

import json
from pathlib import Path

from .. import cells
from ..cells import Kind
from . import plan
from .devices import good_end
from .encapctl import encapctl
from .once import sent_once
from .ours import EncapctlSide
from .results import Results
from .scenarios import send_under_every_mode, tunnel
from .traffic import FailedError
from .underlay import ROUTER, on_vlan
from .watch import Watch

NUMBER = 7


def run(bundles: Path, results: Results) -> None:
    applied, removed = cells.our_side("vlan")
    ours = plan.HOSTS["ours"]
    with on_vlan(NUMBER) as device:
        settings = (f"uplinks={device},eth0", f"vtep={','.join(ours.outer.values())}")
        side = EncapctlSide(bundles, device, settings)
        works = results.check(applied, lambda: side.up("vlan"))
        for kind in cells.device_kinds("vlan"):
            with tunnel(good_end(kind, "peer")):
                for family in kind.inner:
                    _traffic(kind, family, works, results)
        results.check(removed, lambda: side.down("vlan"))


def _traffic(kind: Kind, family: str, works: bool, results: Results) -> None:
    us, peer = (plan.inner(side, kind.outer, family) for side in (plan.OURS, plan.PEER))
    once, *out = cells.vlan(kind, family, "out")
    back = cells.vlan(kind, family, "in")
    if works:
        results.check(once, lambda: _once(kind, us, peer))
        send_under_every_mode(out, ("ours", us), ("peer", peer), results)
        send_under_every_mode(back, ("peer", peer), ("ours", us), results)
    else:
        for cell in (once, *out, *back):
            results.fail(cell, "apply failed")


def _once(kind: Kind, us: str, peer: str) -> None:
    before = _counters()
    with Watch(ROUTER, f"ours.{NUMBER}") as wire:
        sent_once(kind, wire, us, peer)
    after = _counters()
    moved = {name: after[name] - before[name] for name in ("egress_rule_sites", "egress_own_stack")}
    if moved != {"egress_rule_sites": 1, "egress_own_stack": 1}:
        raise FailedError(f"the VLAN device's program encapsulates, its parent's lets it through: {moved}")


def _counters() -> dict[str, int]:
    ran = encapctl("ours", "stats", "matrix-vlan", "--format", "json")
    if ran.code:
        raise FailedError(str(ran))
    return {counter["name"]: counter["packets"] for counter in json.loads(ran.output)["counters"]}

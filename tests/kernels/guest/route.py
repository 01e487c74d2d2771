"""`next_hop: route`: packets go to the tunnel endpoint's own neighbour, whatever neighbour the inner route names."""

from __future__ import annotations

import time
from pathlib import Path

from .. import cells
from ..cells import Kind
from . import plan
from .devices import good_end
from .once import sent_once
from .ours import EncapctlSide
from .results import Results
from .scenarios import QUIET, send_under_every_mode, tunnel
from .traffic import FailedError, Silence
from .underlay import ROUTER, second_on_link
from .watch import Watch

# Each side by the neighbour of the other.
WRONG = {plan.PEER: plan.ON_LINK.outer, plan.SECOND: plan.ON_LINK.router}


def run(bundles: Path, results: Results) -> None:
    applied, removed = cells.our_side("route")
    with second_on_link():
        keeping, side = (EncapctlSide(bundles, next_hops=WRONG) for _ in range(2))
        keeping.up(cells.DEVICES["route"])
        for kind in cells.device_kinds("route"):
            with tunnel(good_end(kind, "peer")):
                for family in kind.inner:
                    _control(kind, family, results)
        keeping.down(cells.DEVICES["route"])
        works = results.check(applied, lambda: side.up("route"))
        for kind in cells.device_kinds("route"):
            with tunnel(good_end(kind, "peer"), good_end(kind, "second")):
                for family in kind.inner:
                    for end in cells.ENDS:
                        _traffic(kind, family, end, works, results)
        results.check(removed, lambda: side.down("route"))


def _control(kind: Kind, family: str, results: Results) -> None:
    us, peer = (plan.inner(side, kind.outer, family) for side in (plan.OURS, plan.PEER))
    results.check(cells.kept(kind, family), lambda: _lost(kind, us, peer))


def _traffic(kind: Kind, family: str, end: str, works: bool, results: Results) -> None:
    us, there = (plan.inner(side, kind.outer, family) for side in (plan.OURS, plan.SIDES[end]))
    neighbour, *others = cells.route(kind, family, end)
    if works:
        results.check(neighbour, lambda: _own_neighbour(kind, us, there, end))
        send_under_every_mode(others, ("ours", us), (end, there), results)
    else:
        for cell in (neighbour, *others):
            results.fail(cell, "apply failed")


def _own_neighbour(kind: Kind, us: str, there: str, end: str) -> None:
    with Watch(ROUTER, "ours") as wire:
        frame = sent_once(kind, wire, us, there)
        _goes_to(frame, plan.ON_LINK.mac if end == "second" else wire.mac)


def _lost(kind: Kind, us: str, peer: str) -> None:
    with Watch(ROUTER, "ours") as wire:
        silence = Silence("ours", us, "peer", peer)
        _goes_to(sent_once(kind, wire, us, peer), plan.ON_LINK.mac)
    time.sleep(QUIET)
    silence.validate()


def _goes_to(frame: bytes, mac: str) -> None:
    if frame[:6].hex(":") != mac:
        raise FailedError(f"the frame went to {frame[:6].hex(':')}, not to {mac}")

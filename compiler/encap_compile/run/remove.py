"""Removing a bundle from the machine: nothing of it stays, and what then leaves unencapsulated is named."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..common.diagnostics import DiagnosedError, Diagnostic, Exit
from ..common.manifest import Manifest, RuleSummary
from ..common.record import Record
from .kernel.hooks.base import Point
from .kernel.hooks.choose import KINDS
from .kernel.pins import remove_empty
from .loader.adopt import attached
from .loader.closing import lift
from .loader.desired import require_privilege
from .loader.erase import erase
from .loader.first_release import held
from .loader.gro import take_away
from .loader.kept import forget_kept
from .loader.lock import FOR_EVER, Patience
from .loader.observe import observe
from .loader.paths import Paths
from .loader.pins_elsewhere import require_pins
from .loader.route_device import look as look_for_route_device
from .loader.route_device.steps import give_up
from .loader.settings import give_back
from .loader.state import target_name


class Detached(Record):
    """A hook that our program was detached from. `on` is the device or cgroup, a number where the name is not known."""

    on: str
    point: Point
    kind: str


class Removed(Record):
    """`unencapsulated`: rules whose packets now leave unencapsulated; `undropped`: rules whose packets are no longer
    dropped. Both are empty if no egress program ran, or if its rules are not known (`rules_known`)."""

    name: str
    hooks: tuple[Detached, ...]
    maps: int
    unencapsulated: tuple[RuleSummary, ...]
    undropped: tuple[RuleSummary, ...] = ()
    opened: bool = False
    forgotten: tuple[Path, ...] = ()
    rules_known: bool = True
    devices: tuple[str, ...] = ()  # network devices that were ours
    settings: tuple[str, ...] = ()  # sysctls that were given back
    gro_devices: tuple[str, ...] = ()  # those of ours for received tunnel packets


def remove(name: str, manifest: Manifest | None = None, bpffs: str = "", patience: Patience = FOR_EVER) -> Removed:
    """Detach and unpin everything of a bundle. Raises DiagnosedError (H101, H110 if there is nothing, H152)."""
    require_privilege()
    here = Paths.of(name, bpffs)
    require_pins(here)
    with held(here, patience) as paths:
        observed = observe(paths)
        if observed.unreadable is not None and observed.unreadable.later:  # it may have pinned what is not looked for
            raise DiagnosedError([observed.unreadable.diagnostic(name)], Exit.MACHINE)
        route = look_for_route_device(name, "", None)  # before anything is undone: it may not be readable
        there = not observed.empty or paths.pins.exists() or paths.state.exists()
        there = there or bool(route.devices) or not route.journal.empty
        # First of all, packets are led to no device that is about to go: the attached ones still encapsulate them.
        opened, forgotten = lift(name) and not route.journal.tables, forget_kept(name)
        merging = take_away(name)
        if not there and not opened and not forgotten and not merging:
            remove_empty(paths.pins.parent, paths.bpffs)  # an earlier run was killed right before it had done this
            words = f"nothing of {name} is on this machine, in this network namespace"
            raise DiagnosedError([Diagnostic("H110", words)], Exit.MACHINE)
        hooks = []
        # Choosing ends before what is chosen is followed no more. Egress is detached before ingress: while that still
        # decapsulates, answers to what was sent encapsulated are understood.
        for hook, kind in sorted(attached(paths), key=lambda found: -found[0].point.rank):
            kind.detach(paths.owner, hook)
            hooks.append(Detached(target_name(observed.state, hook, str(hook.target)), hook.point, kind.name))
        for kind in KINDS.values():
            kind.tidy(paths.owner)
        devices, settings = give_up(name), give_back(name, {})
        maps = erase(paths)
    applied = observed.state.manifest if observed.state and observed.state.manifest else manifest
    # Without both nothing was ever encapsulated: the first apply did not come so far.
    ran = any(h.point == Point.EGRESS for h in hooks) or bool(observed.state and observed.state.manifest)
    return Removed(
        name,
        tuple(hooks),
        maps,
        *pass_now(applied.rules if applied and ran else ()),
        opened,
        tuple(forgotten),
        applied is not None or not ran,
        devices,
        settings,
        merging,
    )


def pass_now(rules: Sequence[RuleSummary]) -> tuple[tuple[RuleSummary, ...], tuple[RuleSummary, ...]]:
    """Of a removed bundle's rules, those that encapsulated and those that dropped."""
    egress = [r for r in rules if r.direction == "egress"]
    return (
        tuple(r for r in egress if r.table),
        tuple(r for r in egress if not r.table and r.text.rpartition(": ")[2] == "drop"),
    )

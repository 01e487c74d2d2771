"""Taking a bundle off the machine: nothing of it stays, and what then leaves in the clear is named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .diagnostics import DiagnosedError, Diagnostic, Exit
from .kernel.hooks.base import Direction
from .kernel.hooks.choose import KINDS
from .loader.desired import require_privilege
from .loader.erase import erase
from .loader.lock import locked
from .loader.observe import observe
from .loader.paths import Paths
from .manifest import Manifest, RuleSummary


@dataclass(frozen=True)
class Detached:
    """A hook that our program was taken off. `device` is a number where the name is not known."""

    device: str
    direction: Direction
    kind: str


@dataclass(frozen=True)
class Removed:
    """`in_clear` are the rules whose packets are now sent as they are, `undropped` those whose packets were dropped and
    pass now; both are empty if no egress program ran, or nothing is known of its rules."""

    name: str
    hooks: tuple[Detached, ...]
    maps: int
    in_clear: tuple[RuleSummary, ...]
    undropped: tuple[RuleSummary, ...] = ()


def remove(name: str, manifest: Manifest | None = None, bpffs: str = "") -> Removed:
    """Detach and unpin everything of a bundle. Raises DiagnosedError (H101, H110 if there is nothing), KernelError."""
    require_privilege()
    paths = Paths.of(name, bpffs)
    with locked(paths.machine_state):
        observed = observe(paths)
        if observed.empty and not paths.pins.exists():
            words = f"nothing of {name} is on this machine, in this network namespace"
            raise DiagnosedError([Diagnostic("H110", words)], Exit.MACHINE)
        known = observed.state.devices if observed.state else {}
        names = {index: device for device, index in known.items()}
        hooks = []
        # Egress first: while ingress still decapsulates, answers to what was sent encapsulated are understood.
        for kind in KINDS.values():
            for ifindex, direction in sorted(kind.attached(paths.owner), key=lambda h: h[1] != Direction.EGRESS):
                kind.detach(paths.owner, ifindex, direction)
                hooks.append(Detached(names.get(ifindex, str(ifindex)), direction, kind.name))
            kind.tidy(paths.owner)
        maps = erase(paths)
    applied = observed.state.manifest if observed.state and observed.state.manifest else manifest
    # Without both nothing was ever encapsulated: the first apply did not come so far.
    ran = any(h.direction == Direction.EGRESS for h in hooks) or bool(observed.state and observed.state.manifest)
    return Removed(name, tuple(hooks), maps, *pass_now(applied.rules if applied and ran else ()))


def pass_now(rules: Sequence[RuleSummary]) -> tuple[tuple[RuleSummary, ...], tuple[RuleSummary, ...]]:
    """Of a removed bundle's rules, those that encapsulated and those that dropped."""
    egress = [r for r in rules if r.direction == "egress"]
    return (
        tuple(r for r in egress if r.table),
        tuple(r for r in egress if not r.table and r.text.rpartition(": ")[2] == "drop"),
    )

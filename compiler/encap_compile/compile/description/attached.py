"""What the loader attaches, and what programs of other versions find in maps that outlive them."""

from __future__ import annotations

from collections.abc import Iterator

from ...common import manifest
from .. import ir
from ..program_types import HOOKS
from ..resolved import Resolved
from ..spec import Scalar

CGROUP_HOOKS = {  # how the function is called
    "cgroup_listen": "listener",
    "cgroup_create": "create",
    "cgroup_unattached": "unattached",
    "cgroup_setsockopt": "setsockopt",
    "cgroup_getsockopt": "getsockopt",
    "cgroup_connect4": "connect4",
    "cgroup_connect6": "connect6",
}


def programs(program: ir.Program) -> Iterator[manifest.Hooked]:
    egress, ingress, attribution = program.egress, program.ingress, program.attribution
    if egress.needed or egress.fits:
        yield manifest.Hooked(egress.function, "tc_egress", HOOKS["tc_egress"].section)
    if ingress is not None:
        yield manifest.Hooked(ingress.function, "tc_ingress", HOOKS["tc_ingress"].section)
    hooks = {hook for cgroup in (attribution.cgroups if attribution else ()) for hook in cgroup.hooks}
    for name, function in CGROUP_HOOKS.items():
        if name in hooks:
            yield manifest.Hooked(f"{program.c_name}__{function}", name, HOOKS[name].section)


def attached_cgroup(resolved: Resolved) -> str:
    """A path that begins with `/`, or host.NAME; empty where no rule asks for it."""
    cgroup = resolved.spec.cgroup
    if cgroup is None or not resolved.attributing:
        return ""
    return str(cgroup.value) if isinstance(cgroup, Scalar) else str(cgroup)


def cgroups(attribution: ir.Attribution | None) -> tuple[manifest.Cgroup, ...]:
    return tuple(manifest.Cgroup(c.path, c.bit, c.hooks, c.place) for c in attribution.cgroups) if attribution else ()


def flows(program: ir.Program) -> tuple[str, ...]:
    """What entries of the table of flows mean: their members, and the stacks that they name by number."""
    if program.flows is None:
        return ()
    attribution = _attribution_members(program.attribution) if program.attribution else ()
    stacks = [outer.stack for d in program.decapsulations if d.learns for outer in d.outers]
    return (
        # As the first release called them: a table of flows outlives the program.
        *(f"{m.ctype} {m.name.removeprefix('option_').replace('__', '_')}" for m in program.flows.members),
        *(f"stack {s.name}" for s in stacks),
        *attribution,
    )


def _attribution_members(attribution: ir.Attribution) -> tuple[str, ...]:
    found = {"cgroups": attribution.levels, "cgroup": attribution.rows_by_cgroup, "choice": bool(attribution.rules)}
    # `owner`: as the first release called it, see `_flows`.
    # `owner`: as the first release called it, see `flows`.
    return tuple(f"owner {name}" for name, there in found.items() if there)

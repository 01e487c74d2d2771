"""The stacks of the encapsulations that a spec uses: those that are sent, and those that answer what came in."""

from __future__ import annotations

from collections.abc import Sequence

from ...common import manifest
from .. import ir
from ..resolved import Resolved
from ..spec import Spec
from .c_names import member_name
from .reflection import reply_stacks
from .stacks import lower_stack
from .tables import row_id


def lower_stacks(resolved: Resolved) -> tuple[set[str], list[ir.Stack]]:
    """Every stack that is used, and the names of those that egress sends."""
    sending: set[str] = set()
    stacks: list[ir.Stack] = []
    for encapsulation in resolved.encapsulations.values():
        for family in encapsulation.outer_families if encapsulation.used else ():
            name = f"{member_name(encapsulation.name)}_{family}"
            if encapsulation.sent:
                sending.add(name)
            stacks.append(lower_stack(row_id(name), encapsulation, family, resolved.spec))
    return sending, stacks


def replies(spec: Spec, stacks: Sequence[ir.Stack]) -> dict[str, list[ir.Stack]]:
    """The stacks that reflect each ingress rule."""
    found: dict[str, list[ir.Stack]] = {}
    for rule in spec.egress.rules:
        if rule.reflect is not None:
            for reply in reply_stacks(spec, rule, stacks):
                found.setdefault(rule.reflect.rule, []).extend(reply.stacks)
    return found


def described_replies(spec: Spec, stacks: Sequence[ir.Stack]) -> tuple[manifest.Reply, ...]:
    """The same for the manifest: each layout that comes in, and those that its replies may have."""
    found: dict[manifest.Reply, None] = {}
    for rule in spec.egress.rules:
        for reply in reply_stacks(spec, rule, stacks) if rule.reflect else ():
            found[manifest.Reply(reply.arriving.name, tuple(s.name for s in reply.stacks))] = None
    return tuple(found)

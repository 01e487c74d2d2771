"""Which encapsulations a spec uses, over which families, and for which inner packets."""

from __future__ import annotations

from collections.abc import Sequence

from ...common import manifest
from .. import ir
from ..checks.common import uses
from ..spec import Encapsulation, Reference, Spec
from .c_names import member_name
from .conditions import FAMILIES, families_of
from .reflection import reply_encapsulation, reply_stacks
from .stacks import lower_stack, outer_families
from .tables import row_id


def table_families(spec: Spec) -> dict[str, tuple[str, ...]]:
    """The families of the inner packets that rules bring to each table."""
    found: dict[str, set[str]] = {}
    for rule in spec.egress.rules:
        for target in rule.targets:
            found.setdefault(target.table, set()).update(families_of(rule.match))
    return {name: tuple(f for f in FAMILIES if f in families) for name, families in found.items()}


def lower_stacks(spec: Spec, inner_families: dict[str, tuple[str, ...]]) -> tuple[set[str], list[ir.Stack]]:
    """Every stack, and the names of those that egress sends."""
    sending: set[str] = set()
    reflected: dict[str, set[str]] = {}  # encapsulation -> families of the replies that it carries
    for rule in spec.egress.rules:
        if rule.reflect is not None:
            reflected.setdefault(reply_encapsulation(spec, rule).name, set()).update(families_of(rule.match))
    stacks: list[ir.Stack] = []
    for encapsulation in spec.encapsulations.values():
        users = [
            t for name, t in spec.endpoints.items() if name in inner_families and encapsulation.name in t.encapsulations
        ]
        tables = users or [t for t in spec.endpoints.values() if encapsulation.name in t.encapsulations]
        row = {name: type_ for t in tables for name, type_ in t.fields.items()} or _implied(encapsulation)
        inner = {f for t in users for f in inner_families[t.name]} | reflected.get(encapsulation.name, set())
        received = any(r.decapsulate == encapsulation.name for r in spec.ingress.rules)
        for family in outer_families(encapsulation, row, spec):
            name = f"{member_name(encapsulation.name)}_{family}"
            reflects = encapsulation.name in reflected
            if not users and not received and not reflects:
                continue
            if users or reflects:
                sending.add(name)
            families = tuple(f for f in FAMILIES if f in inner) or FAMILIES
            stacks.append(lower_stack(row_id(name), encapsulation, family, families, row, spec))
    return sending, stacks


def _implied(encapsulation: Encapsulation) -> dict[str, str]:
    """The types of fields that no table has, because packets only come in: those of the headers' own fields."""
    return {
        value.path[0]: kind
        for _, _, _, kind, value in uses(encapsulation)
        if isinstance(value, Reference) and value.root == "endpoint"
    }


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

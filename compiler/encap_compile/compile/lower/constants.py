"""The constants at the top of the C, in their order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from .. import ir
from ..resolved import Resolved
from .attribution import attribution_constants
from .c_names import c_name
from .fit import fit_constants
from .flows import flow_constants
from .layouts import constant_groups
from .library import switches
from .used_stacks import UsedStacks


def lower_constants(
    resolved: Resolved,
    stacks: UsedStacks,
    egress: ir.EgressProgram,
    ingress: ir.IngressProgram | None,
    attribution: ir.Attribution | None,
    flows: ir.FlowTable | None,
    overheads: Mapping[str, int],
    tables: Iterable[ir.TableMap],
    maps: Iterable[ir.AddressMap],
) -> Iterator[ir.ConstantGroup]:
    """`overheads`: of tables, where TCP is made to fit."""
    decapsulations = ingress.decapsulations if ingress else ()
    compared = _compared(egress, decapsulations, attribution)
    yield from constant_groups(stacks.all, frozenset(s.name for s in stacks.sent), decapsulations, compared)
    yield from _capacities(resolved, tables, maps)
    yield from fit_constants(overheads)
    if attribution:
        yield attribution_constants(resolved, attribution, stacks)
    yield from switches(resolved, flows, attribution, egress, ingress)
    if flows:
        yield flow_constants(resolved)


def _compared(
    egress: ir.EgressProgram, decapsulations: Iterable[ir.Decapsulation], attribution: ir.Attribution | None
) -> frozenset[str]:
    """The overheads that are named: where the larger of two counts, and where a socket is told of its choice."""
    learns = [rule.learn for d in decapsulations for rule in d.rules if rule.learn]
    grows = [growth for x in learns for g in x.grows for growth in (g.usual, g.otherwise)]
    found = {e.larger for e in egress.encapsulators} | {g.constant for g in grows if isinstance(g, ir.ByOverhead)}
    return frozenset(found | {name for t in (attribution.tables if attribution else ()) for _, name in t.overheads})


def _capacities(
    resolved: Resolved, tables: Iterable[ir.TableMap], maps: Iterable[ir.AddressMap]
) -> Iterator[ir.ConstantGroup]:
    """How many rows the maps of each table hold."""
    sized = {t.name for t in tables if t.kind != "fixed"} | {m.table for m in maps if m.table}
    found = [
        ir.NamedConstant(f"CAPACITY_{name}".upper(), str(table.capacity), f"{table.path}.capacity")
        for name, table in ((c_name(t.name), t) for t in resolved.tables.values())
        if name in sized
    ]
    if found:
        yield ir.ConstantGroup("How many rows there can be.", tuple(found))

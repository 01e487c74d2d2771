"""Puts the parts together: a resolved spec becomes a `Program`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePath
from typing import NamedTuple

from .. import ir
from ..resolved import Resolved, Table
from ..spec import Reference
from .address_maps import address_maps
from .attribution import attribution_constants, lower_attribution, named_cgroups
from .c_names import c_name
from .conditions import Conditions
from .contract import lower_contract
from .counter_layout import lay_out
from .counters import lower_counters
from .egress import dispatches, follows_fragments, lower_egress, packet_needs, passed_before
from .egress_rules import rule_conditions, shared_conditions
from .fit import fit_constants, lower_fit, table_overheads
from .fixed import with_rows
from .guard import lower_guard
from .host import HostValues
from .ingress import lower_ingress
from .layouts import constant_groups
from .library import library_headers, switches
from .named import named_rows, named_stacks
from .recognition import signature
from .reflection import flow_constants, flow_table
from .tables import lower_table
from .tunnel_endpoints import own_stacks
from .used_stacks import lower_stacks


class Lowered(NamedTuple):
    program: ir.Program
    contract: ir.SocketContract | None


def lower(resolved: Resolved, compiler: str) -> Lowered:
    """Decide everything."""
    spec, visible = resolved.spec, resolved.families
    cgroups = named_cgroups(resolved)
    used = lower_stacks(resolved)
    stacks, reflecting = used.all, used.reflecting(resolved)
    conditions = Conditions(visible, {path: named.constant for path, named in cgroups.items()})
    matches = rule_conditions(resolved, conditions)
    found_dispatches = dispatches(resolved, used)
    attribution = lower_attribution(resolved, used, cgroups, conditions)
    clamps = attribution is not None and attribution.encapsulates
    overheads = table_overheads(resolved, used)
    fit = lower_fit(resolved, used, matches, overheads)
    ingress = lower_ingress(resolved, stacks, conditions, reflecting, clamps, fit)
    learns = bool(resolved.learning)
    remembers = learns or attribution is not None
    own = own_stacks(resolved, used, (e for d in found_dispatches for e in d.encapsulators), conditions)
    tables = {t.name: _table(t, used.of(t)) for t in resolved.tables.values()}
    key_words = [word for t in resolved.tables.values() if t.led_to for word in t.key]
    before = passed_before(resolved, own)
    decapsulations = ingress.decapsulations if ingress else ()
    connects = attribution.connects if attribution else ()
    received = ingress.rules if ingress else ()
    follows = follows_fragments(matches.values(), visible, key_words)
    asked = [
        *matches.values(),
        *(r.conditions for r in connects),
        *(r.match for r in received),
    ]
    packet = packet_needs(
        resolved,
        [condition for match in asked for condition in match],
        key_words,
        [e.stack for d in found_dispatches for e in d.encapsulators],
        own,
        before,
        follows or any(d.follows is not ir.Follows.NOBODY for d in decapsulations),
    )
    egress = lower_egress(
        resolved,
        found_dispatches,
        own,
        before,
        matches,
        shared_conditions(matches, fit, bool(attribution and attribution.guard)),
        packet,
        follows,
        bool(fit and fit.remembers),
    )
    host = HostValues(spec)
    if egress.encapsulators or fit or learns or attribution:
        host.device_mtu()
    for stack in stacks:
        for use in resolved.encapsulations[stack.encapsulation].host:
            host.add(use.reference, stack.outer_family, stack.name, use.own)
    for rule in resolved.ingress:
        if isinstance(rule.set_mark, Reference) and rule.set_mark.root == "host":
            host.add(rule.set_mark, "ipv4", "")
    if remembers:
        host.flow_seed()
    if attribution and attribution.levels:
        host.cgroup_level()
    if attribution and attribution.rows_by_cgroup:
        host.cgroup_levels()
    if attribution and (attribution.rules or attribution.connects):
        host.cgroups()
        host.netns_cookie()
    if attribution and attribution.guard:
        host.guard(attribution.marks)
    clamps_mss = spec.mtu.clamp_mss and bool(egress.encapsulators or fit)
    renamed = {rule.name: rule.was for rule in resolved.rules if rule.was}
    counters = lay_out(lower_counters(egress, ingress, learns, attribution, clamps_mss, fit, resolved.tables, renamed))
    maps = address_maps(resolved, conditions, own)
    includes = ["encap_wire.h", "encap_counters.h", "encap_match.h"]  # and what these include
    if egress.own:
        includes.append("encap_own_addresses.h")
    learned_by = (stack for found in reflecting.values() for stack in found)
    flows = flow_table(ingress, learned_by) if remembers else None
    fitting = fit_constants(overheads)
    program = ir.Program(
        name=spec.name,
        c_name=c_name(spec.name),
        titles=_titles(stacks),
        spec_file=PurePath(spec.path).name,
        kernel=".".join(map(str, spec.kernel)),
        compiler=compiler,
        includes=tuple(includes),
        library=library_headers(flows, attribution, egress, ingress, clamps_mss),
        constants=(
            *constant_groups(
                stacks,
                frozenset(s.name for s in used.sent),
                decapsulations,
                _compared(egress, decapsulations, attribution),
            ),
            *_capacities(resolved, tables.values(), maps),
            *([fitting] if fitting else []),
            *([attribution_constants(resolved, attribution, used)] if attribution else []),
            *switches(spec, flows, attribution, egress, ingress, visible),
            *([flow_constants(resolved)] if remembers else []),
        ),
        sets=tuple(ir.PrefixSet(name, c_name(name), s.prefixes) for name, s in spec.sets.items()),
        named_rows=named_rows(egress.rules, connects),
        named_stacks=named_stacks(found_dispatches, decapsulations),
        stacks=stacks,
        signatures=tuple(signature(s) for s in stacks),
        replies=used.replies,
        host=host.lower(),
        tables=tuple(t for name, t in tables.items() if resolved.tables[name].in_program),
        unread_tables=tuple(t for name, t in tables.items() if not resolved.tables[name].in_program),
        address_maps=maps,
        counters=counters.counters,
        counter_slots=counters.slots,
        counters_size=counters.size,
        counter_entries=counters.entries,
        packet=packet,
        egress=egress,
        guard=lower_guard(egress.rules) if attribution and attribution.guard else None,
        ingress=ingress,
        flows=flows,
        attribution=attribution,
        clamps=clamps_mss,
        fit=fit,
    )
    return Lowered(program, lower_contract(resolved, compiler, program.titles))


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


def _titles(stacks: Iterable[ir.Stack]) -> tuple[str, ...]:
    """`vxlan over ipv4 or ipv6`, `gre over ipv4`."""
    families: dict[str, list[str]] = {}
    for stack in stacks:
        families.setdefault(stack.encapsulation, []).append(stack.outer_family)
    return tuple(f"{name} over {' or '.join(found)}" for name, found in families.items()) or ("no encapsulation",)


def _table(table: Table, own: Sequence[ir.Stack]) -> ir.TableMap:
    """`own` are the stacks that its rows may take."""
    lowered = lower_table(table, own)
    return with_rows(lowered, table, own) if table.fixed and table.found else lowered

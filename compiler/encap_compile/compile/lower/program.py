"""Puts the parts together: a resolved spec becomes the templates' `Program` and the loader's `Manifest`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import PurePath
from typing import NamedTuple

from ...common import manifest
from ...common.requirements import required
from .. import ir
from ..program_types import HOOKS
from ..resolved import Resolved, Table
from ..spec import Reference
from . import counters as counting
from .address_maps import OWN_ADDRESSES, address_maps, address_sets
from .attribution import (
    CGROUP_MAP,
    SOCKET_MAP,
    attached_cgroup,
    attribution_constants,
    cgroup_list,
    lower_attribution,
    named_cgroups,
)
from .c_names import c_name
from .conditions import Conditions
from .contract import lower_contract
from .description import features, rule_summaries, stack_signatures
from .egress import dispatches, follows_fragments, lower_egress, packet_needs, passed_before
from .egress_rules import rule_conditions
from .fit import fit_constants, lower_fit
from .fixed import fixed_rows
from .guard import lower_guard
from .host import HostValues
from .ingress import lower_ingress
from .layouts import constant_groups
from .library import library_headers, switches
from .reflection import flow_constants, flow_table
from .tables import LoweredTable, lower_table, manifest_stack
from .tunnel_endpoints import own_stacks
from .used_stacks import described_replies, lower_stacks, replies

CGROUP_HOOKS = {  # how the function is called
    "cgroup_listen": "listener",
    "cgroup_create": "create",
    "cgroup_unattached": "unattached",
    "cgroup_setsockopt": "setsockopt",
    "cgroup_getsockopt": "getsockopt",
    "cgroup_connect4": "connect4",
    "cgroup_connect6": "connect6",
}


class Lowered(NamedTuple):
    """`prefix_files` are the bundle's files for long prefix lists: name -> text."""

    program: ir.Program
    manifest: manifest.Manifest
    prefix_files: dict[str, str]
    contract: ir.SocketContract | None


def lower(resolved: Resolved, compiler: str) -> Lowered:
    """Decide everything. The manifest still lacks identity, toolchain, inputs, files."""
    spec, visible = resolved.spec, resolved.families
    cgroups = {path: named.constant for path, named in named_cgroups(spec).items()}
    encapsulating, stacks = lower_stacks(resolved)
    conditions = Conditions(visible, cgroups)
    matches = rule_conditions(spec, conditions)
    found_dispatches = dispatches(spec, stacks)
    attribution = lower_attribution(spec, stacks, conditions)
    clamps = attribution is not None and attribution.encapsulates
    fit = lower_fit(spec, stacks, matches)
    ingress = lower_ingress(spec, stacks, conditions, replies(spec, stacks), clamps, fit)
    learns = bool(resolved.learning)
    remembers = learns or attribution is not None
    sent = [s for s in stacks if s.name in encapsulating]
    own = own_stacks(spec, stacks, sent, (e for d in found_dispatches for e in d.encapsulators), conditions)
    tables = {t.name: _with_fixed_rows(t, lower_table(t, sent)) for t in resolved.tables.values()}
    key_words = [word for t in resolved.tables.values() if t.led_to for word in t.key]
    before = passed_before(spec, visible, own)
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
        spec,
        visible,
        [condition for match in asked for condition in match],
        key_words,
        [e.stack for d in found_dispatches for e in d.encapsulators],
        own,
        before,
        follows or any(d.follows is not ir.Follows.NOBODY for d in decapsulations),
        learns,
    )
    egress = lower_egress(
        spec,
        found_dispatches,
        own,
        before,
        visible,
        matches,
        packet,
        follows,
        bool(fit and fit.remembers),
    )
    addressed = address_sets(spec, egress)
    for source in addressed.values():  # the loader fills the set from the rows, compiled in or not
        table = tables[source.table]
        rows_file = replace(table.manifest, file=f"{source.table}.csv")
        tables[source.table] = table._replace(manifest=rows_file)
    host = HostValues(spec)
    if egress.encapsulators or fit or learns or attribution:
        host.device_mtu()
    for stack in stacks:
        for use in resolved.encapsulations[stack.encapsulation].host:
            host.add(use.reference, stack.outer_family, stack.name, use.own)
    for rule in spec.ingress.rules:
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
    host_members, host_layout, host_described = host.lower()
    clamps_mss = spec.mtu.clamp_mss and bool(egress.encapsulators or fit)
    renamed = {rule.name: rule.was for rule in resolved.rules if rule.was}
    counters = counting.lay_out(
        counting.lower_counters(egress, ingress, learns, attribution, clamps_mss, fit, resolved.tables, renamed)
    )
    described_maps, sets, prefix_sets, prefix_files = address_maps(spec, conditions, addressed)
    includes = ["encap_wire.h", "encap_counters.h", "encap_match.h"]  # and what these include
    if egress.own:
        includes.append("encap_own_addresses.h")
    learned_by = (r for rs in replies(spec, stacks).values() for r in rs)
    flows = flow_table(ingress, learned_by) if remembers else None
    fitting = fit_constants(spec, stacks, fit)
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
                stacks, frozenset(encapsulating), decapsulations, _compared(egress, decapsulations, attribution)
            ),
            *_capacities(resolved, tables.values(), described_maps),
            *([fitting] if fitting else []),
            *([attribution_constants(spec, attribution, stacks)] if attribution else []),
            *switches(spec, flows, attribution, egress, ingress, visible),
            *([flow_constants(spec)] if remembers else []),
        ),
        sets=tuple(ir.PrefixSet(name, c_name(name), s.prefixes) for name, s in spec.sets.items()),
        stacks=tuple(stacks),
        host=host_members,
        tables=tuple(t.ir for t in tables.values() if t.ir.kind != "fixed" or resolved.tables[t.manifest.name].found),
        address_maps=described_maps,
        counters=counters.counters,
        counter_slots=counters.slots,
        packet=packet,
        egress=egress,
        guard=lower_guard(egress.rules) if attribution and attribution.guard else None,
        ingress=ingress,
        flows=flows,
        attribution=attribution,
        clamps=clamps_mss,
        fit=fit,
    )
    contract = lower_contract(spec, compiler, program.titles)
    described = manifest.Manifest(
        format_version=manifest.FORMAT_VERSION,
        name=spec.name,
        summary=", ".join(program.titles),
        identity="",
        kernel=program.kernel,
        features=features(spec, program),
        next_hop=spec.egress.next_hop,
        host=tuple(
            manifest.HostDeclaration(h.name, h.type, ".".join(h.default) if h.default else "")
            for h in spec.host.values()
        ),
        attach=tuple(r.path[0] for r in spec.attach),
        host_layout=host_layout,
        host_members=host_described,
        tables=tuple(t.manifest for t in tables.values()),
        source_sets=sets,
        prefix_sets=prefix_sets,
        flows=_flows(program),
        replies=described_replies(spec, stacks),
        own_addresses=OWN_ADDRESSES if egress.own else "",
        counters_size=counters.size,
        counters=tuple(
            manifest.Counter(
                c.name,
                c.offset,
                c.kind,
                c.text,
                c.place,
                c.formerly,
                was=c.was,
                direction=c.counts.direction.value,
                rule=c.counts.rule,
                table=c.counts.table,
                encapsulation=c.counts.encapsulation,
                outcome=c.counts.outcome.value,
                reason=c.counts.reason,
            )
            for c in counters.counters
        ),
        stacks=tuple(manifest_stack(s) for s in stacks),
        rules=tuple(rule_summaries(spec, stacks)),
        signatures=stack_signatures(stacks),
        boot="closed" if spec.egress.boot == "closed" else "",
        programs=tuple(
            manifest.Hooked(program.function, name, HOOKS[name].section)
            for name, program in (("tc_egress", egress), ("tc_ingress", ingress))
            if program is not None and (program is ingress or egress.needed or egress.fits)
        )
        + tuple(
            manifest.Hooked(f"{c_name(spec.name)}__{CGROUP_HOOKS[name]}", name, HOOKS[name].section)
            for name in CGROUP_HOOKS
            if attribution and any(name in c.hooks for c in attribution.cgroups)
        ),
        cgroup=attached_cgroup(spec),
        cgroups=cgroup_list(attribution),
        cgroup_map=CGROUP_MAP if attribution and attribution.levels else "",
        contract=(f"{contract.name}.h", f"{contract.c_name}.py") if contract else (),
        sockets=SOCKET_MAP if attribution else "",
        max_overhead=max((s.most_overhead for s in stacks), default=0),
        toolchain=manifest.Toolchain("", "", "", ()),
        inputs=manifest.Inputs("", "", ""),
    )
    requires, release = required(described)
    return Lowered(program, replace(described, requires=requires, needs_release=release), prefix_files, contract)


def _compared(
    egress: ir.EgressProgram, decapsulations: Iterable[ir.Decapsulation], attribution: ir.Attribution | None
) -> frozenset[str]:
    """The overheads that are named: where the larger of two counts, and where a socket is told of its choice."""
    learns = [rule.learn for d in decapsulations for rule in d.rules if rule.learn]
    grows = [growth for x in learns for g in x.grows for growth in (g.usual, g.otherwise)]
    found = {e.larger for e in egress.encapsulators} | {g.constant for g in grows if isinstance(g, ir.ByOverhead)}
    return frozenset(found | {name for t in (attribution.tables if attribution else ()) for _, name in t.overheads})


def _capacities(
    resolved: Resolved, tables: Iterable[LoweredTable], maps: Iterable[ir.AddressMap]
) -> Iterator[ir.ConstantGroup]:
    """How many rows the maps of each table hold."""
    sized = {t.ir.name for t in tables if t.ir.kind != "fixed"} | {m.table for m in maps if m.table}
    found = [
        ir.NamedConstant(f"CAPACITY_{name}".upper(), str(table.capacity), f"{table.path}.capacity")
        for name, table in ((c_name(t.name), t) for t in resolved.tables.values())
        if name in sized
    ]
    if found:
        yield ir.ConstantGroup("How many rows there can be.", tuple(found))


def _flows(program: ir.Program) -> tuple[str, ...]:
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
    return tuple(f"owner {name}" for name, there in found.items() if there)


def _titles(stacks: list[ir.Stack]) -> tuple[str, ...]:
    """`vxlan over ipv4 or ipv6`, `gre over ipv4`."""
    families: dict[str, list[str]] = {}
    for stack in stacks:
        families.setdefault(stack.encapsulation, []).append(stack.outer_family)
    return tuple(f"{name} over {' or '.join(found)}" for name, found in families.items()) or ("no encapsulation",)


def _with_fixed_rows(table: Table, lowered: LoweredTable) -> LoweredTable:
    if not table.fixed or not table.found:
        return lowered
    return lowered._replace(ir=lowered.ir._replace(rows=fixed_rows(table, lowered.manifest)))

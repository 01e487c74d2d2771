"""Puts the parts together: a resolved spec becomes a `Program`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import NamedTuple

from .. import ir
from ..resolved import Resolved, Table
from .address_maps import address_maps
from .attribution import lower_attribution, named_cgroups
from .c_names import c_name
from .conditions import Conditions
from .constants import lower_constants
from .contract import lower_contract
from .counter_layout import lay_out
from .counters import lower_counters
from .egress import dispatches, follows_fragments, lower_egress, passed_before
from .egress_rules import rule_conditions, shared_conditions
from .fit import lower_fit, table_overheads
from .fixed import with_rows
from .flows import flow_table
from .guard import lower_guard
from .host import lower_host
from .ingress import lower_ingress
from .library import library_headers
from .named import named_rows, named_stacks
from .packet import asked_of_packets, packet_needs
from .recognition import signature
from .tables import lower_table
from .tunnel_endpoints import own_stacks, paths
from .used_stacks import lower_stacks


class Lowered(NamedTuple):
    program: ir.Program
    contract: ir.SocketContract | None


def lower(resolved: Resolved, compiler: str) -> Lowered:
    """Decide everything."""
    spec, learns = resolved.spec, bool(resolved.learning)
    stacks = lower_stacks(resolved)
    tables = {t.name: _table(t, stacks.of(t)) for t in resolved.tables.values()}
    key_words = [word for t in resolved.tables.values() if t.led_to for word in t.key]
    cgroups = named_cgroups(resolved)
    conditions = Conditions(resolved.families, {path: named.constant for path, named in cgroups.items()})

    matches = rule_conditions(resolved, conditions)
    led = dispatches(resolved, stacks)
    attribution = lower_attribution(resolved, stacks, cgroups, conditions)
    overheads = table_overheads(resolved, stacks)
    fit = lower_fit(resolved, stacks, matches, overheads)
    reflecting = stacks.reflecting(resolved)
    fits_sockets = attribution is not None and attribution.encapsulates
    encapsulators = [e for d in led for e in d.encapsulators]
    learned_paths = paths(resolved, stacks, encapsulators, conditions)
    ingress = lower_ingress(resolved, stacks.all, conditions, reflecting, fits_sockets, fit, learned_paths is not None)
    decapsulations = ingress.decapsulations if ingress else ()

    own = own_stacks(resolved, stacks, encapsulators, conditions, conditions.families)
    before = passed_before(resolved, own)
    follows = follows_fragments(matches.values(), resolved.families, key_words)
    packet = packet_needs(
        resolved,
        asked_of_packets(matches, attribution, ingress),
        key_words,
        [e.stack for e in encapsulators],
        own,
        before,
        follows or any(d.follows is not ir.Follows.NOBODY for d in decapsulations),
    )
    shared = shared_conditions(matches, fit, bool(attribution and attribution.guard))
    remembers = bool(fit and fit.remembers)
    egress = lower_egress(resolved, led, own, before, matches, shared, packet, follows, remembers, learned_paths)

    flows = None
    if learns or attribution:
        flows = flow_table(ingress, (stack for replies in reflecting.values() for stack in replies))
    maps = address_maps(resolved, conditions, learned_paths.own if learned_paths else own)
    clamps = spec.mtu.clamp_mss and bool(egress.encapsulators or fit)
    renamed = {rule.name: rule.was for rule in resolved.rules if rule.was}
    counters = lay_out(lower_counters(egress, ingress, learns, attribution, clamps, fit, resolved.tables, renamed))
    program = ir.Program(
        name=spec.name,
        c_name=c_name(spec.name),
        titles=stacks.titles,
        spec_file=PurePath(spec.path).name,
        kernel=".".join(map(str, spec.kernel)),
        compiler=compiler,
        includes=_includes(egress),
        library=library_headers(flows, attribution, egress, ingress, clamps),
        constants=tuple(
            lower_constants(resolved, stacks, egress, ingress, attribution, flows, overheads, tables.values(), maps)
        ),
        sets=tuple(ir.PrefixSet(name, c_name(name), s.prefixes) for name, s in spec.sets.items()),
        named_rows=named_rows(egress.rules, attribution.connects if attribution else ()),
        named_stacks=named_stacks(stacks.all, led, decapsulations),
        stacks=stacks.all,
        signatures=tuple(signature(s) for s in stacks.all),
        replies=stacks.replies,
        host=lower_host(
            resolved,
            stacks.all,
            egress,
            attribution,
            reads_mtu=bool(egress.encapsulators or fit or learns or attribution),
            sends=bool(egress.encapsulators),
        ),
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
        clamps=clamps,
        fit=fit,
    )
    return Lowered(program, lower_contract(resolved, compiler, program.titles))


def _includes(egress: ir.EgressProgram) -> tuple[str, ...]:
    """What the C includes before it defines anything; they include others."""
    own = egress.own or egress.paths
    return ("encap_wire.h", "encap_counters.h", "encap_match.h", *(["encap_own_addresses.h"] if own else []))


def _table(table: Table, own: Sequence[ir.Stack]) -> ir.TableMap:
    """`own` are the stacks that its rows may take."""
    lowered = lower_table(table, own)
    return with_rows(lowered, table, own) if table.fixed and table.found else lowered

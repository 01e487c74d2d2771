"""Puts the parts together: a checked `Spec` becomes the templates' `Program` and the loader's `Manifest`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from .. import ir, manifest
from ..checks.common import needed_fields, uses
from ..hooks import HOOKS
from ..spec import Encapsulation, Reference, Spec, TableField
from . import counters as counting
from .conditions import Conditions, families_of
from .contract import lower_contract
from .description import features, rule_summaries
from .egress import dispatches, lower_egress, lower_rules, packet_needs
from .fixed import fixed_rows
from .host import HostValues
from .ingress import lower_ingress, signature, source_sets
from .layouts import constant_groups, header_structs
from .names import c_name, place_text
from .owners import (
    CGROUP_MAP,
    SOCKET_MAP,
    attached_cgroup,
    cgroup_list,
    lower_owners,
    named_cgroups,
    owner_constants,
    owner_rules,
)
from .reflection import flow_constants, flow_table, learning, reply_encapsulation, reply_stacks
from .stacks import family_field, lower_stack, outer_families
from .tables import LoweredTable, lower_table, manifest_layout, manifest_stack, place_members, row_id
from .tunnel_ends import ADDRESS_TYPES, tunnel_end_fields

FAMILIES = ("ipv4", "ipv6")
CGROUP_HOOKS = {  # how the function is called
    "cgroup_listen": "listener",
    "cgroup_setsockopt": "setsockopt",
    "cgroup_getsockopt": "getsockopt",
    "cgroup_connect4": "connect4",
    "cgroup_connect6": "connect6",
}
OWN_ADDRESSES = "own_addresses"
OWN_CAPACITY = 1024  # addresses: of all devices, before and after a change


class Lowered(NamedTuple):
    """`prefix_files` are the bundle's files for long prefix lists: name -> text."""

    program: ir.Program
    manifest: manifest.Manifest
    prefix_files: dict[str, str]
    contract: ir.SocketContract | None


def lower(spec: Spec, compiler: str) -> Lowered:
    """Decide everything. `spec` has passed the checks. The manifest still lacks identity, toolchain, inputs, files."""
    table_families = _table_families(spec)
    visible = _visible_families(spec)
    cgroups = {path: named.constant for path, named in named_cgroups(spec).items()}
    encapsulating, stacks = _stacks(spec, table_families)
    wanted = {r.decapsulate for r in spec.ingress.rules}
    in_use = [s for s in stacks if s.encapsulation in wanted or s.name in encapsulating]
    conditions = Conditions(visible, cgroups)
    rules = lower_rules(spec, conditions)
    found_dispatches = dispatches(spec, in_use)
    owners = lower_owners(spec, in_use, conditions)
    clamps = owners is not None and owners.encapsulates
    ingress = lower_ingress(spec, in_use, conditions, _replies(spec, in_use), clamps)
    learns = bool(learning(spec))
    remembers = learns or owners is not None
    signatures = tuple(dict.fromkeys(signature(s) for s in stacks if s.name in encapsulating))
    tables = {
        t.name: lower_table(
            t,
            table_families.get(t.name) or FAMILIES,
            [s for s in stacks if s.name in encapsulating],
            {e: family_field(spec.encapsulations[e]) for e in t.encapsulations},
            needed_fields(spec, t),
            spec,
        )
        for t in spec.endpoints.values()
        if t.name in _used_tables(spec)
    }
    tables = {name: _with_fixed_rows(spec, name, t) for name, t in tables.items()}
    egress = lower_egress(spec, in_use, signatures, conditions, rules)
    address_sets = _address_sets(spec, egress)
    for source in address_sets.values():  # the loader fills the set from the rows, compiled in or not
        table = tables[source.table]
        rows_file = replace(table.manifest, file=f"{source.table}.csv")
        tables[source.table] = table._replace(manifest=rows_file)
    matches = [c for r in (owners.connects if owners else ()) for c in r.conditions]
    matches += [c for d in (ingress.decapsulators if ingress else ()) for r in d.rules for c in r.match]
    keys = {t.name: t.key for t in spec.endpoints.values() if t.name in table_families}
    packet = packet_needs(
        visible,
        rules,
        matches,
        keys,
        [e.stack for d in found_dispatches for e in d.encapsulators],
        egress,
    )
    host = HostValues(spec)
    if egress.encapsulators:
        host.device_mtu()
    for stack in in_use:
        for position, use in enumerate(spec.encapsulations[stack.encapsulation].headers):
            given = [*use.values.items(), *((option.name, option.value) for option in use.options)]
            for word, value in given:
                if isinstance(value, Reference) and value.root == "host":
                    own = position == 0 and word == "source"
                    host.add(value, stack.outer_family, stack.name, own)
    for rule in spec.ingress.rules:
        if isinstance(rule.set_mark, Reference) and rule.set_mark.root == "host":
            host.add(rule.set_mark, "ipv4", "")
    if remembers:
        host.flow_seed()
    if owners and owners.levels:
        host.cgroup_level()
    if owners and owners.rows_by_cgroup:
        host.cgroup_levels()
    if owners and (owners.rules or owners.connects):
        host.cgroups()
        host.netns_cookie()
    host_members, host_layout, host_described = host.lower()
    described_counters = counting.lower_counters(egress, ingress, learns, owners)
    address_maps, sets, prefix_sets, prefix_files = _address_maps(
        spec, conditions, address_sets, bool(egress.signatures)
    )
    includes = ["encap_bpf.h", "encap_address.h"]
    if in_use:
        includes += (
            ["encap_checksum.h", "encap_ecn.h"]
            if any(layer.checksum_base for s in in_use for layer in s.layers)
            else ["encap_ecn.h"]
        )
    if packet.hash or remembers:
        includes.append("encap_flow.h")
    if remembers:
        includes.append("encap_flow_key.h")
    if owners:
        includes.append("encap_socket.h")
    if any(d.encapsulation_limit for d in (ingress.decapsulators if ingress else ())):
        includes.append("encap_limit.h")
    program = ir.Program(
        name=spec.name,
        c_name=c_name(spec.name),
        title=_title(in_use),
        spec_file=place_text(spec.place._replace(line=1)).rsplit(":", 1)[0],
        kernel=".".join(map(str, spec.kernel)),
        compiler=compiler,
        includes=tuple(includes),
        constants=(
            *constant_groups(in_use, frozenset(encapsulating), ingress.decapsulators if ingress else ()),
            *([owner_constants(spec, owners, in_use)] if owners else []),
            *([flow_constants(spec)] if remembers else []),
        ),
        headers=header_structs(in_use, visible),
        stacks=tuple(in_use),
        host=host_members,
        tables=tuple(t.ir for t in tables.values()),
        address_maps=address_maps,
        counters=described_counters,
        packet=packet,
        egress=egress,
        ingress=ingress,
        flows=flow_table(ingress, (r for rs in _replies(spec, in_use).values() for r in rs)) if remembers else None,
        owners=owners,
    )
    contract = lower_contract(spec, compiler, program.title)
    described = manifest.Manifest(
        format_version=manifest.FORMAT_VERSION,
        name=spec.name,
        summary=program.title,
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
        replies=_described_replies(spec, in_use),
        own_addresses=OWN_ADDRESSES if egress.signatures else "",
        counters_size=counting.SIZE * len(described_counters),
        counters=tuple(
            manifest.Counter(c.name, i * counting.SIZE, c.kind, c.text, c.place)
            for i, c in enumerate(described_counters)
        ),
        stacks=tuple(manifest_stack(s) for s in in_use),
        rules=tuple(rule_summaries(spec)),
        programs=tuple(
            manifest.Hooked(program.function, name, HOOKS[name].section)
            for name, program in (("tc_egress", egress), ("tc_ingress", ingress))
            if program is not None and (program is ingress or egress.needed)
        )
        + tuple(
            manifest.Hooked(f"{c_name(spec.name)}_{CGROUP_HOOKS[name]}", name, HOOKS[name].section)
            for name in CGROUP_HOOKS
            if owners and any(name in c.hooks for c in owners.cgroups)
        ),
        cgroup=attached_cgroup(spec),
        cgroups=cgroup_list(owners),
        cgroup_map=CGROUP_MAP if owners and owners.levels else "",
        contract=(f"{contract.name}.h", f"{contract.c_name}.py") if contract else (),
        sockets=SOCKET_MAP if owners else "",
        max_overhead=max((s.most_overhead for s in in_use), default=0),
        toolchain=manifest.Toolchain("", "", "", ()),
        inputs=manifest.Inputs("", "", {}, "", ""),
    )
    return Lowered(program, described, prefix_files, contract)


def _flows(program: ir.Program) -> tuple[str, ...]:
    """What entries of the table of flows mean: their members, and the stacks that they name by number."""
    if program.flows is None:
        return ()
    owners = _owner_members(program.owners) if program.owners else ()
    stacks = [d.stack for d in (program.ingress.decapsulators if program.ingress else ()) if d.learns]
    return (
        *(f"{m.ctype} {m.name}" for m in program.flows.members),
        *(f"stack {s.name}" for s in stacks),
        *owners,
    )


def _owner_members(owners: ir.Owners) -> tuple[str, ...]:
    found = {"cgroups": owners.levels, "cgroup": owners.rows_by_cgroup, "choice": bool(owners.rules)}
    return tuple(f"owner {name}" for name, there in found.items() if there)


def _title(stacks: list[ir.Stack]) -> str:
    """`vxlan over ipv4 or ipv6, gre over ipv4`."""
    families: dict[str, list[str]] = {}
    for stack in stacks:
        families.setdefault(stack.encapsulation, []).append(stack.outer_family)
    return ", ".join(f"{name} over {' or '.join(found)}" for name, found in families.items()) or "no encapsulation"


def _table_families(spec: Spec) -> dict[str, tuple[str, ...]]:
    """The families of the inner packets that rules bring to each table."""
    found: dict[str, set[str]] = {}
    for rule in spec.egress.rules:
        for target in rule.targets:
            found.setdefault(target.table, set()).update(families_of(rule.match))
    return {name: tuple(f for f in FAMILIES if f in families) for name, families in found.items()}


def _visible_families(spec: Spec) -> tuple[str, ...]:
    """The families whose packets the program must look into."""
    if spec.egress.default == "drop" or spec.connect or (owner_rules(spec) and spec.ingress.rules):
        return FAMILIES
    if any(r.match != type(r.match)() or r.learn for r in spec.ingress.rules):
        return FAMILIES
    found = {f for rule in spec.egress.rules for f in families_of(rule.match)}
    return tuple(f for f in FAMILIES if f in found) or ("ipv4",)


def _replies(spec: Spec, stacks: Sequence[ir.Stack]) -> dict[str, list[ir.Stack]]:
    """The stacks that reflect each ingress rule."""
    found: dict[str, list[ir.Stack]] = {}
    for rule in spec.egress.rules:
        if rule.reflect is not None:
            replies = reply_stacks(spec, rule, stacks)
            found.setdefault(rule.reflect.rule, []).extend(stack for reply in replies for stack in reply.stacks)
    return found


def _described_replies(spec: Spec, stacks: Sequence[ir.Stack]) -> tuple[manifest.Reply, ...]:
    found: dict[manifest.Reply, None] = {}
    for rule in spec.egress.rules:
        for reply in reply_stacks(spec, rule, stacks) if rule.reflect else ():
            found[manifest.Reply(reply.arriving.name, tuple(s.name for s in reply.stacks))] = None
    return tuple(found)


def _used_tables(spec: Spec) -> set[str]:
    used = {target.table for r in spec.egress.rules for target in r.targets}
    used |= {r.lookup for r in spec.ingress.rules if r.lookup}
    return used | {r.source.table for r in spec.ingress.rules if isinstance(r.source, TableField)}


def _stacks(spec: Spec, table_families: dict[str, tuple[str, ...]]) -> tuple[set[str], list[ir.Stack]]:
    """Every stack, and the names of those that egress sends."""
    sending: set[str] = set()
    reflected: dict[str, set[str]] = {}  # encapsulation -> families of the replies that it carries
    for rule in spec.egress.rules:
        if rule.reflect is not None:
            reflected.setdefault(reply_encapsulation(spec, rule).name, set()).update(families_of(rule.match))
    stacks: list[ir.Stack] = []
    for encapsulation in spec.encapsulations.values():
        users = [
            t for name, t in spec.endpoints.items() if name in table_families and encapsulation.name in t.encapsulations
        ]
        tables = users or [t for t in spec.endpoints.values() if encapsulation.name in t.encapsulations]
        row = {name: type_ for t in tables for name, type_ in t.fields.items()} or _implied(encapsulation)
        inner = {f for t in users for f in table_families[t.name]} | reflected.get(encapsulation.name, set())
        received = any(r.decapsulate == encapsulation.name for r in spec.ingress.rules)
        for family in outer_families(encapsulation, row, spec):
            name = f"{c_name(encapsulation.name)}_{family}"
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


def _with_fixed_rows(spec: Spec, name: str, table: LoweredTable) -> LoweredTable:
    if table.manifest.kind != "fixed":
        return table
    return table._replace(ir=table.ir._replace(rows=fixed_rows(spec.endpoints[name], table.manifest, spec)))


def _address_sets(spec: Spec, egress: ir.EgressProgram) -> dict[str, TableField]:
    """The fields whose values are kept as a set: who may send to us, and where our own packets go."""
    wanted = {end.map for end in egress.tunnel_ends}
    return {
        **source_sets(spec),
        **{name: field for name, field in tunnel_end_fields(spec).items() if name in wanted},
    }


def _address_maps(
    spec: Spec, conditions: Conditions, addresses: Mapping[str, TableField], own: bool
) -> tuple[tuple[ir.AddressMap, ...], tuple[manifest.SourceSet, ...], tuple[manifest.PrefixSet, ...], dict[str, str]]:
    maps = []
    sets = []
    for name, source in addresses.items():
        type_ = spec.endpoints[source.table].fields[source.field]
        capacity = spec.endpoints[source.table].capacity
        comment = f"ends of tunnels: {source.table}.{source.field}"
        maps.append(ir.AddressMap(name, "hash", ADDRESS_TYPES[type_], capacity, comment))
        key = manifest_layout(place_members([("address", type_)]))
        sets.append(manifest.SourceSet(name, source.table, source.field, key, capacity))
    prefix_sets = []
    files = {}
    for name, listed in conditions.prefix_maps.items():
        capacity = max(1024, 2 * len(listed.prefixes))
        maps.append(ir.AddressMap(name, "lpm", ADDRESS_TYPES["ip"], capacity, "a long prefix list"))
        key = manifest.Layout(
            20, (manifest.Member("prefixlen", "prefixlen", 0, 4), manifest.Member("address", "ip", 4, 16))
        )
        file = f"{name.replace('_', '-')}.csv"
        prefix_sets.append(manifest.PrefixSet(name, name, file, FAMILIES, key, capacity))
        files[file] = "".join(f"{p}\n" for p in listed.prefixes)
    if own:
        maps.append(
            ir.AddressMap(
                OWN_ADDRESSES,
                "hash",
                "struct ip_address",
                OWN_CAPACITY,
                "the outer sources of this host, on every device",
            )
        )
    return tuple(maps), tuple(sets), tuple(prefix_sets), files

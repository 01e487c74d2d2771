"""The manifest of a program, but for what building adds: identity, toolchain, inputs, files."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from ...common import manifest
from ...common.manifest_bounds import COUNTER
from ...common.requirements import required
from .. import ir
from ..lower import Lowered
from ..lower.counter_layout import LIBRARY
from ..resolved import Resolved
from . import attached, maps
from .features import features
from .routed import route_device
from .rules import rule_summaries, signature_text
from .tunnel_ports import tunnel_ports

CGROUP_MAP, SOCKET_MAP = "cgroups", "sockets"
OWN_ADDRESSES = "own_addresses"  # encap_own_addresses.h


class Described(NamedTuple):
    """All that a bundle is made of. `prefix_files` are its files for long prefix lists: name -> text."""

    resolved: Resolved
    program: ir.Program
    contract: ir.SocketContract | None
    manifest: manifest.Manifest
    prefix_files: dict[str, str]


def describe(resolved: Resolved, lowered: Lowered) -> Described:
    program, contract = lowered
    described = _manifest(resolved, program, contract)
    requires, release = required(described)
    complete = replace(described, requires=requires, needs_release=release)
    return Described(resolved, program, contract, complete, maps.prefix_files(program))


def _manifest(resolved: Resolved, program: ir.Program, contract: ir.SocketContract | None) -> manifest.Manifest:
    spec, attribution = resolved.spec, program.attribution
    signatures = {s.name: signature_text(known) for s, known in zip(program.stacks, program.signatures, strict=True)}
    return manifest.Manifest(
        format_version=manifest.FORMAT_VERSION,
        name=program.name,
        summary=", ".join(program.titles),
        identity="",
        kernel=program.kernel,
        features=features(program),
        next_hop=program.egress.next_hop.value,
        host=tuple(
            manifest.HostDeclaration(h.name, h.type, ".".join(h.default) if h.default else "")
            for h in spec.host.values()
        ),
        attach=tuple(r.path[0] for r in spec.attach),
        host_layout=maps.host_layout(program),
        host_members=tuple(maps.host_members(program)),
        tables=tuple(maps.described_tables(resolved, program)),
        source_sets=tuple(maps.source_sets(resolved, program)),
        prefix_sets=tuple(maps.prefix_sets(program)),
        flows=attached.flows(program),
        replies=tuple(manifest.Reply(reply.arriving, reply.stacks) for reply in program.replies),
        own_addresses=OWN_ADDRESSES if program.egress.own or program.egress.paths else "",
        counters_size=program.counters_size,
        counters_entries=program.counter_entries if program.counter_entries > 1 else 0,
        counters=tuple(_counter(counter) for counter in program.counters),
        counter_structs={s.name: COUNTER * len(LIBRARY[s.type]) for s in program.counter_slots if s.type in LIBRARY},
        stacks=tuple(maps.described_stack(s) for s in program.stacks),
        rules=tuple(rule_summaries(resolved, program)),
        signatures=signatures,
        boot="closed" if spec.egress.boot == "closed" else "",
        programs=tuple(attached.programs(program)),
        route_device=route_device(resolved, program),
        cgroup=attached.attached_cgroup(resolved),
        cgroups=attached.cgroups(attribution),
        cgroup_map=CGROUP_MAP if attribution and attribution.levels else "",
        contract=(f"{contract.name}.h", f"{contract.c_name}.py") if contract else (),
        sockets=SOCKET_MAP if attribution else "",
        max_overhead=max((s.most_overhead for s in program.stacks), default=0),
        tunnel_ports=(ports := tuple(tunnel_ports(program))),
        gro="device" if spec.receive.gro_device and ports else "",
        toolchain=manifest.Toolchain("", "", "", ()),
        inputs=manifest.Inputs("", "", ""),
    )


def _counter(counter: ir.CounterMember) -> manifest.Counter:
    counts = counter.counts
    return manifest.Counter(
        counter.name,
        counter.offset,
        counter.kind,
        counter.text,
        counter.place,
        counter.formerly,
        was=counter.was,
        direction=counts.direction.value,
        rule=counts.rule,
        table=counts.table,
        encapsulation=counts.encapsulation,
        outcome=counts.outcome.value,
        reason=counts.reason,
        struct=counter.member.partition(".")[0] if "." in counter.member else "",
    )

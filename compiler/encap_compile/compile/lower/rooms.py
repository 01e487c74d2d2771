"""Which headers of the library the C includes behind what it defines, and the switches that they read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .. import ir
from ..spec import Spec

DIRECTIONS = {"replies": "FOR_REPLIES", "forwarded": "FOR_FORWARDED"}


def rooms(
    flows: ir.FlowTable | None,
    owners: ir.Owners | None,
    egress: ir.EgressProgram,
    ingress: ir.IngressProgram | None,
    clamps: bool,
) -> tuple[str, ...]:
    """In the order of the C; each includes what it needs of the library itself."""
    decapsulators = ingress.decapsulators if ingress else ()
    found = {
        "encap_egress.h": egress.needed,
        "encap_encapsulate.h": bool(egress.encapsulators),
        "encap_decapsulate.h": bool(decapsulators),
        "encap_vlan.h": any(d.tagged for d in decapsulators),
        "encap_packet_mss.h": clamps and bool(egress.encapsulators or (flows and flows.rules)),
        "encap_learned.h": flows is not None and bool(flows.rules),
    }
    if owners is not None:
        found |= {
            "encap_attribution.h": True,
            "encap_socket_mss.h": bool(ingress and ingress.clamps),
            "encap_unattached.h": owners.guard,
            "encap_socket_options.h": bool(owners.rules),
            "encap_connect.h": bool(owners.connects),
        }
    return tuple(name for name, needed in found.items() if needed)


def switches(
    spec: Spec,
    flows: ir.FlowTable | None,
    owners: ir.Owners | None,
    egress: ir.EgressProgram,
    ingress: ir.IngressProgram | None,
    families: Sequence[str],
) -> tuple[ir.ConstantGroup, ...]:
    """What of the headers the program needs. `families`: of the packets that the rules see."""
    major, minor = spec.kernel
    found = []
    if owners or (ingress and ingress.decapsulators):
        found.append(ir.NamedConstant("OLDEST_KERNEL", f"KERNEL({major}, {minor})", "kernel"))
    if egress.encapsulators:
        found.append(_switch("NEXT_HOP_ROUTE", egress.next_hop == "route", f"egress.next_hop: {egress.next_hop}"))
    if ingress and ingress.decapsulators:
        verdict = {"drop": "TC_ACT_SHOT", "pass": "TC_ACT_UNSPEC"}[ingress.refuse]
        found.append(ir.NamedConstant("REFUSED", verdict, "ingress.refuse"))
    if flows is not None:
        directions = {d for rule in flows.rules if rule.learn for d in rule.learn.directions}
        found.append(_flags("SOCKET_FACTS", _facts(owners)))
        found.append(_flags("FLOWS_LEARN", (flag for name, flag in DIRECTIONS.items() if name in directions)))
    if owners is not None:
        found += _sockets(spec, owners, bool(ingress and ingress.clamps), families)
    return (ir.ConstantGroup("What the library is built for.", tuple(found)),) if found else ()


def _sockets(spec: Spec, owners: ir.Owners, fits: bool, families: Sequence[str]) -> Iterable[ir.NamedConstant]:
    """`fits`: packets that come to sockets are made to fit."""
    if owners.rules:
        named = all(rule.cgroups for rule in owners.rules)
        yield _flags("CHOOSING_CGROUPS", dict.fromkeys(c for r in owners.rules for c in r.cgroups) if named else ())
    if fits:
        yield _switch("CLAMPS_MSS", spec.mtu.clamp_mss)
        yield _switch("CLAMPS_EVERY_SOCKET", owners.clamps_all)
    if owners.guard or owners.connects:
        yield _switch("MARKS_SOCKETS", owners.guard and owners.marks)
    if owners.guard:
        yield _switch("SEES_IPV4", "ipv4" in families)
        yield _switch("SEES_IPV6", "ipv6" in families)
    if owners.connects:
        yield _switch("CONNECT_NESTED", owners.nests)


def _facts(owners: ir.Owners | None) -> list[str]:
    if owners is None:
        return []
    found = {
        "FACT_CGROUPS": owners.levels,
        "FACT_CGROUP": owners.rows_by_cgroup,
        "FACT_CHOICE": bool(owners.rules),
    }
    return [flag for flag, asked in found.items() if asked]


def _flags(name: str, flags: Iterable[str]) -> ir.NamedConstant:
    found = list(flags)
    return ir.NamedConstant(name, f"({' | '.join(found)})" if found else "0", "")


def _switch(name: str, on: bool, comment: str = "") -> ir.NamedConstant:
    return ir.NamedConstant(name, str(int(on)), comment)

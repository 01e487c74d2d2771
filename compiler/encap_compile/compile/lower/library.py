"""Which headers of the library the C includes behind what it defines, and the switches that they read."""

from __future__ import annotations

from collections.abc import Iterable

from .. import ir
from ..resolved import Resolved

DIRECTIONS = {ir.LearnFor.REPLIES: "FOR_REPLIES", ir.LearnFor.FORWARDED: "FOR_FORWARDED"}


def fits_sockets(ingress: ir.IngressProgram | None) -> bool:
    """Whether the answers to what sockets send encapsulated are made to fit."""
    return ingress is not None and ir.Arrival.FIT_SOCKETS in ingress.before


def library_headers(
    flows: ir.FlowTable | None,
    attribution: ir.Attribution | None,
    egress: ir.EgressProgram,
    ingress: ir.IngressProgram | None,
    clamps: bool,
) -> tuple[str, ...]:
    """In the order of the C; each includes what it needs of the library itself."""
    decapsulations = ingress.decapsulations if ingress else ()
    tagged = any(isinstance(d.inner, ir.NamedByField) and d.inner.tagged for d in decapsulations)
    found = {
        "encap_egress.h": egress.needed,
        "encap_route_device.h": bool(egress.route_device),
        "encap_next_hop.h": egress.looks_up_routes,
        "encap_encapsulate.h": bool(egress.encapsulators),
        "encap_decapsulate.h": bool(decapsulations),
        "encap_vlan.h": tagged,
        "encap_options.h": any(d.stack.variable and d.stack.variable.options for d in decapsulations),
        "encap_opaque.h": any(e.stack.variable and not e.stack.variable.options for e in egress.encapsulators),
        "encap_packet_mss.h": clamps and bool(egress.encapsulators or (flows and flows.rules)),
        "encap_learned.h": flows is not None and bool(flows.rules),
    }
    if attribution is not None:
        found |= {
            "encap_attribution.h": True,
            "encap_socket_mss.h": fits_sockets(ingress),
            "encap_unattached.h": attribution.guard,
            "encap_socket_options.h": bool(attribution.rules),
            "encap_connect.h": bool(attribution.connects),
        }
    return tuple(name for name, needed in found.items() if needed)


def switches(
    resolved: Resolved,
    flows: ir.FlowTable | None,
    attribution: ir.Attribution | None,
    egress: ir.EgressProgram,
    ingress: ir.IngressProgram | None,
) -> tuple[ir.ConstantGroup, ...]:
    """What of the headers the program needs."""
    major, minor = resolved.spec.kernel
    found = []
    if attribution or (ingress and ingress.decapsulations):
        found.append(ir.NamedConstant("OLDEST_KERNEL", f"KERNEL({major}, {minor})", "kernel"))
    if egress.encapsulators:
        found.append(_routed(egress))
        answers = egress.too_big is ir.TooBig.ICMP
        found.append(_switch("ANSWERS_TOO_BIG", answers, f"mtu.too_big: {egress.too_big}"))
        found.append(_switch("LEARNS_PATH_MTU", egress.paths is not None, f"mtu.path: {resolved.spec.mtu.path}"))
    if egress.paths and egress.paths.ports:
        first, last = egress.paths.ports
        found.append(ir.NamedConstant("SOURCE_PORTS", f"{first}, {last}", "of UDP, as sent"))
    if ingress and ingress.decapsulations:
        verdict = {ir.OnRefusal.DROP: "TC_ACT_SHOT", ir.OnRefusal.PASS: "TC_ACT_UNSPEC"}[ingress.refuse]
        found.append(ir.NamedConstant("REFUSED", verdict, "ingress.refuse"))
    if flows is not None:
        directions = {d for rule in flows.rules if rule.learn for d in rule.learn.directions}
        found.append(_flags("SOCKET_FACTS", _facts(attribution)))
        found.append(_flags("FLOWS_LEARN", (flag for name, flag in DIRECTIONS.items() if name in directions)))
    if attribution is not None:
        found += _sockets(resolved, attribution, fits_sockets(ingress))
    return (ir.ConstantGroup("What the library is built for.", tuple(found)),) if found else ()


def _sockets(resolved: Resolved, attribution: ir.Attribution, fits: bool) -> Iterable[ir.NamedConstant]:
    """`fits`: packets that come to sockets are made to fit."""
    if attribution.rules:
        named = all(rule.cgroups for rule in attribution.rules)
        yield _flags(
            "CHOOSING_CGROUPS", dict.fromkeys(c for r in attribution.rules for c in r.cgroups) if named else ()
        )
    if fits:
        yield _switch("CLAMPS_MSS", resolved.spec.mtu.clamp_mss)
        yield _switch("CLAMPS_EVERY_SOCKET", attribution.clamps_all)
    if attribution.guard or attribution.connects:
        yield _switch("MARKS_SOCKETS", attribution.guard and attribution.marks)
    if attribution.guard or fits:
        yield _switch("SEES_IPV4", "ipv4" in resolved.families)
        yield _switch("SEES_IPV6", "ipv6" in resolved.families)
    if attribution.connects:
        yield _switch("CONNECT_NESTED", attribution.nests)


def _routed(egress: ir.EgressProgram) -> ir.NamedConstant:
    flags = {
        "ROUTED_AT_UPLINKS": egress.next_hop is ir.NextHop.ROUTE,
        "ROUTED_AT_DEVICE": bool(egress.route_device),
    }
    comment = f"egress.next_hop: {egress.next_hop}{', attach.route_device' if egress.route_device else ''}"
    return _flags("ROUTED", (flag for flag, on in flags.items() if on))._replace(comment=comment)


def _facts(attribution: ir.Attribution | None) -> list[str]:
    if attribution is None:
        return []
    found = {
        "FACT_CGROUPS": attribution.levels,
        "FACT_CGROUP": attribution.rows_by_cgroup,
        "FACT_CHOICE": bool(attribution.rules),
    }
    return [flag for flag, asked in found.items() if asked]


def _flags(name: str, flags: Iterable[str]) -> ir.NamedConstant:
    found = list(flags)
    return ir.NamedConstant(name, f"({' | '.join(found)})" if found else "0", "")


def _switch(name: str, on: bool, comment: str = "") -> ir.NamedConstant:
    return ir.NamedConstant(name, str(int(on)), comment)

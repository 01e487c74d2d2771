"""The route device: which prefixes are routed to it."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network

from ...common import manifest
from .. import ir
from ..lower.conditions import LINK_LOCAL
from ..resolved import Resolved
from ..resolved.routed import Routed, routed_rules


def route_device(resolved: Resolved, program: ir.Program) -> manifest.RouteDevice | None:
    device = resolved.spec.route_device
    if device is None:
        return None
    routed = routed_rules(resolved.spec)
    return manifest.RouteDevice(
        name=device.name,
        egress=program.egress.function,
        ingress=program.egress.route_device,
        overhead=max(_overhead(resolved, program, found) for found in routed),
        routes=tuple(_route(found) for found in routed),
    )


def tables_routed(resolved: Resolved) -> set[str]:
    """Those whose rows the loader has to know, also if they are compiled in."""
    return {found.table for found in routed_rules(resolved.spec) if found.table}


def _overhead(resolved: Resolved, program: ir.Program, found: Routed) -> int:
    assert found.rule.to is not None
    names = {e.name for e in resolved.tables[found.rule.to.table].encapsulations}
    return max(e.stack.most_overhead for e in program.egress.encapsulators if e.stack.encapsulation in names)


def _route(found: Routed) -> manifest.Route:
    return manifest.Route(
        rule=found.rule.name,
        table=found.table,
        prefixes=tuple(map(str, found.prefixes)),
        passed=tuple(dict.fromkeys(_passed(found))),
    )


def _passed(found: Routed) -> Iterator[str]:
    """Of what is passed before the rule, what lies within its prefixes."""
    for network in (*found.passed, *LINK_LOCAL["ipv4"], *LINK_LOCAL["ipv6"]):
        within = (p for p in found.prefixes if p.version == network.version and p.overlaps(network))
        for prefix in within:
            yield str(max(prefix, ip_network(network), key=lambda n: n.prefixlen))

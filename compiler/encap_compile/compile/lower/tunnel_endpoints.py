"""Where a spec's outer packets may go: what distinguishes them from others of the same protocol and port."""

from __future__ import annotations

from collections.abc import Iterable

from .. import ir
from ..resolved import IngressRule, Resolved, RowField
from ..resolved.matches import is_long
from ..spec import Addresses
from .c_names import c_name
from .conditions import Conditions

ADDRESS_TYPES = {"ip": "struct ip_address", "ipv4": "__be32", "ipv6": "struct ipv6_address"}


def address_map_name(field: RowField) -> str:
    return f"peer_{c_name(field.table.name)}__at_{c_name(field.field)}"


def _in_rows(field: RowField) -> ir.TunnelEndpoint:
    family = "" if field.type == "ip" else field.type
    return ir.TunnelEndpoint(family, address_map_name(field), ADDRESS_TYPES[field.type])


def _senders(rule: IngressRule, conditions: Conditions) -> ir.TunnelEndpoint:
    if isinstance(rule.source, RowField):
        return _in_rows(rule.source)
    if isinstance(rule.source, Addresses):
        if is_long(rule.source):
            name = conditions.long_list(rule.source, f"ingress_{c_name(rule.name)}__from")
            return ir.TunnelEndpoint("", name, ADDRESS_TYPES["ip"])
        families = rule.decapsulate.outer_families
        prefixes = tuple(p for p in rule.source.prefixes if f"ipv{p.version}" in families)
        return ir.TunnelEndpoint("", prefixes=prefixes, rule=rule.name)
    return ir.TunnelEndpoint("")


def tunnel_endpoints(
    resolved: Resolved, encapsulators: Iterable[ir.Encapsulator], conditions: Conditions
) -> tuple[ir.TunnelEndpoint, ...]:
    """Every outer destination of a family that the rules see: sets first, then single addresses."""
    visible = conditions.families
    found: dict[ir.TunnelEndpoint, None] = {}
    for rule in resolved.egress:
        if rule.reflect is not None:  # replies go to whom packets were taken from
            end = _senders(rule.reflect.rule, conditions)
            if end.prefixes or not end.rule:  # else what it lists is of no family that comes in
                found[end] = None
    for field in resolved.destinations:
        end = _in_rows(field)
        if not end.family or end.family in visible:
            found[end] = None
    for encapsulator in encapsulators:
        family = encapsulator.stack.outer_family
        word = next(w for w in encapsulator.stack.layers[0].words if w.name == "daddr")
        source_of_value = word.parts[0].source
        if family not in visible:
            continue
        if isinstance(source_of_value, ir.FromHost):
            found[ir.TunnelEndpoint(family, value=f"host.{source_of_value.member}")] = None
        elif isinstance(source_of_value, ir.Literal):
            found[ir.TunnelEndpoint(family, value=word.constant)] = None
    return tuple(found)

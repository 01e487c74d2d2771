"""Where a spec's outer packets may go: what distinguishes them from others of the same protocol and port."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .. import ir
from ..resolved.matches import INLINE_PREFIXES
from ..spec import Addresses, IngressRule, Reference, Spec, TableField
from .c_names import c_name
from .conditions import Conditions

ADDRESS_TYPES = {"ip": "struct ip_address", "ipv4": "__be32", "ipv6": "struct ipv6_address"}


def address_map_name(source: TableField) -> str:
    return f"peer_{c_name(source.table)}__at_{c_name(source.field)}"


def _senders(spec: Spec, rule: IngressRule, stacks: Sequence[ir.Stack], conditions: Conditions) -> ir.TunnelEndpoint:
    if isinstance(rule.source, TableField):
        type_ = spec.endpoints[rule.source.table].fields[rule.source.field]
        return ir.TunnelEndpoint("" if type_ == "ip" else type_, address_map_name(rule.source), ADDRESS_TYPES[type_])
    if isinstance(rule.source, Addresses):
        if len(rule.source.prefixes) > INLINE_PREFIXES:
            name = conditions.long_list(rule.source, f"ingress_{c_name(rule.name)}__from")
            return ir.TunnelEndpoint("", name, ADDRESS_TYPES["ip"])
        families = {s.outer_family for s in stacks if s.encapsulation == rule.decapsulate}
        prefixes = tuple(p for p in rule.source.prefixes if f"ipv{p.version}" in families)
        return ir.TunnelEndpoint("", prefixes=prefixes, rule=rule.name)
    return ir.TunnelEndpoint("")


def tunnel_endpoint_fields(spec: Spec) -> Mapping[str, TableField]:
    """The row fields that are outer destinations, for tables that a rule leads to: name of the set -> field."""
    found: dict[str, TableField] = {}
    for rule in spec.egress.rules:
        for target in rule.targets:
            table = spec.endpoints[target.table]
            for name in table.encapsulations:
                value = spec.encapsulations[name].headers[0].values.get("destination")
                if isinstance(value, Reference) and value.root == "endpoint":
                    field = TableField(table.name, value.path[0])
                    found[address_map_name(field)] = field
    return found


def tunnel_endpoints(
    spec: Spec, stacks: Sequence[ir.Stack], encapsulators: Iterable[ir.Encapsulator], conditions: Conditions
) -> tuple[ir.TunnelEndpoint, ...]:
    """Every outer destination of a family that the rules see: sets first, then single addresses."""
    visible = conditions.families
    found: dict[ir.TunnelEndpoint, None] = {}
    for rule in spec.egress.rules:
        if rule.reflect is not None:  # replies go to whom packets were taken from
            end = _senders(spec, spec.ingress_rule(rule.reflect.rule), stacks, conditions)
            if end.prefixes or not end.rule:  # else what it lists is of no family that comes in
                found[end] = None
    for name, source in tunnel_endpoint_fields(spec).items():
        type_ = spec.endpoints[source.table].fields[source.field]
        family = "" if type_ == "ip" else type_
        if not family or family in visible:
            found[ir.TunnelEndpoint(family, name, ADDRESS_TYPES[type_])] = None
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

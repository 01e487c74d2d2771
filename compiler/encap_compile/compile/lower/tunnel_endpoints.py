"""Where a spec's outer packets may go: what distinguishes them from others of the same protocol and port."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import assert_never

from .. import ir
from ..resolved.matches import INLINE_PREFIXES
from ..spec import Addresses, IngressRule, Reference, Spec, TableField
from .c_names import c_name
from .conditions import Conditions
from .recognition import signature
from .used_stacks import UsedStacks

ADDRESS_TYPES = {"ip": "struct ip_address", "ipv4": "__be32", "ipv6": "struct ipv6_address"}


def address_map_name(source: TableField) -> str:
    return f"peer_{c_name(source.table)}__at_{c_name(source.field)}"


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


def own_stacks(
    spec: Spec,
    stacks: UsedStacks,
    encapsulators: Iterable[ir.Encapsulator],
    conditions: Conditions,
) -> ir.OwnStacks | None:
    """How those of the `stacks` that are sent are recognised. None where no packet that the rules see can carry one."""
    signatures = _signatures(stack for stack in stacks.sent if stack.outer_family in conditions.families)
    if not signatures:
        return None
    endpoints = tuple(_endpoints(spec, stacks.all, encapsulators, conditions))
    if ir.Anywhere() in endpoints:
        endpoints = (ir.Anywhere(),)
    return ir.OwnStacks(signatures, endpoints) if endpoints else None


def _signatures(stacks: Iterable[ir.Stack]) -> tuple[ir.Signature, ...]:
    """One for each protocol and port, however many encapsulations share it."""
    found: dict[object, ir.Signature] = {}
    for one in map(signature, stacks):
        port = one.port.number if one.port else None
        known = found.setdefault((one.protocols, port), one)
        if known.family != one.family:
            found[one.protocols, port] = known._replace(family="")
    return tuple(found.values())


def _endpoints(
    spec: Spec, stacks: Sequence[ir.Stack], encapsulators: Iterable[ir.Encapsulator], conditions: Conditions
) -> Iterator[ir.TunnelEndpoint]:
    """Every outer destination of a family that the rules see, once: sets first, then single addresses."""
    visible = conditions.families
    replied_to = dict.fromkeys(rule.reflect.rule for rule in spec.egress.rules if rule.reflect)
    found = [_senders(spec, spec.ingress_rule(name), stacks, conditions) for name in replied_to]
    for name, source in tunnel_endpoint_fields(spec).items():
        type_ = spec.endpoints[source.table].fields[source.field]
        found.append(ir.EndpointMap("" if type_ == "ip" else type_, name))
    for encapsulator in encapsulators:
        word = next(w for w in encapsulator.stack.layers[0].words if w.name == "daddr")
        value = word.parts[0].source
        if isinstance(value, ir.FromHost | ir.Literal):
            found.append(ir.EndpointAddress(encapsulator.stack.outer_family, value, word.constant))
    known = set[object]()
    for endpoint in found:
        what = endpoint.prefixes if isinstance(endpoint, ir.EndpointPrefixes) else endpoint
        if what not in known and _is_visible(endpoint, visible):
            known.add(what)
            yield endpoint


def _senders(spec: Spec, rule: IngressRule, stacks: Sequence[ir.Stack], conditions: Conditions) -> ir.TunnelEndpoint:
    """Replies go to whom packets were taken from."""
    if isinstance(rule.source, TableField):
        type_ = spec.endpoints[rule.source.table].fields[rule.source.field]
        return ir.EndpointMap("" if type_ == "ip" else type_, address_map_name(rule.source))
    if not isinstance(rule.source, Addresses):
        return ir.Anywhere()
    if len(rule.source.prefixes) > INLINE_PREFIXES:
        return ir.EndpointMap("", conditions.long_list(rule.source, f"ingress_{c_name(rule.name)}__from"))
    whole = {f"ipv{p.version}" for p in rule.source.prefixes if p.prefixlen == 0}
    if whole >= {*conditions.families}:
        return ir.Anywhere()
    received = {s.outer_family for s in stacks if s.encapsulation == rule.decapsulate}
    return ir.EndpointPrefixes(tuple(p for p in rule.source.prefixes if f"ipv{p.version}" in received), rule.name)


def _is_visible(endpoint: ir.TunnelEndpoint, families: Sequence[str]) -> bool:
    match endpoint:
        case ir.EndpointMap(family=family) | ir.EndpointAddress(family=family):
            return not family or family in families
        case ir.EndpointPrefixes():
            return any(f"ipv{prefix.version}" in families for prefix in endpoint.prefixes)
        case ir.Anywhere():
            return True
        case _:
            assert_never(endpoint)

"""Where a spec's outer packets may go: what distinguishes them from others of the same protocol and port."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import assert_never

from .. import ir
from ..headers import catalogue
from ..resolved import IngressRule, Resolved, RowField
from ..resolved.matches import is_long
from ..spec import Addresses
from .c_names import c_name
from .conditions import Conditions
from .recognition import signature
from .used_stacks import UsedStacks
from .word_checks import port_layer

MOST_PORT = 65535


def address_map_name(field: RowField) -> str:
    return f"peer_{c_name(field.table.name)}__at_{c_name(field.field)}"


def own_stacks(
    resolved: Resolved,
    stacks: UsedStacks,
    encapsulators: Iterable[ir.Encapsulator],
    conditions: Conditions,
    families: Sequence[str],
) -> ir.OwnStacks | None:
    """How those of the `stacks` that are sent are recognised. None where no packet of the `families` carries one."""
    signatures = _signatures(stack for stack in stacks.sent if stack.outer_family in families)
    if not signatures:
        return None
    endpoints = tuple(_endpoints(resolved, encapsulators, conditions, families))
    if ir.Anywhere() in endpoints:
        endpoints = (ir.Anywhere(),)
    return ir.OwnStacks(signatures, endpoints) if endpoints else None


def paths(
    resolved: Resolved,
    stacks: UsedStacks,
    encapsulators: Sequence[ir.Encapsulator],
    conditions: Conditions,
) -> ir.Paths | None:
    """How packets that were sent encapsulated are recognised in ICMP errors. None where nobody asks."""
    if resolved.spec.mtu.path != "learn" or not encapsulators:
        return None
    families = tuple(f for f in catalogue.FAMILIES if any(e.stack.outer_family == f for e in encapsulators))
    own = own_stacks(resolved, stacks, encapsulators, conditions, families)
    return ir.Paths(own, families, _source_ports(e.stack for e in encapsulators)) if own else None


def _source_ports(stacks: Iterable[ir.Stack]) -> tuple[int, int] | None:
    """From which UDP ports the stacks are sent: the least and the greatest. None where none is in UDP."""
    least, greatest = MOST_PORT, 0
    for stack in stacks:
        transport = port_layer(stack)
        parts = [p for w in transport.words for p in w.parts if p.name == "source_port"] if transport else []
        for part in parts:
            match part.source:
                case ir.FromFlow(first, last) if last:
                    ports = first, last
                case ir.Literal(value):
                    ports = value, value
                case _:
                    ports = 0, MOST_PORT
            least, greatest = min(least, ports[0]), max(greatest, ports[1])
    return (least, greatest) if least <= greatest else None


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
    resolved: Resolved, encapsulators: Iterable[ir.Encapsulator], conditions: Conditions, visible: Sequence[str]
) -> Iterator[ir.TunnelEndpoint]:
    """Every outer destination of a `visible` family, once: sets first, then single addresses."""
    replied_to = {rule.reflect.rule.name for rule in resolved.egress if rule.reflect}
    found = [_senders(rule, conditions, visible) for rule in resolved.ingress if rule.name in replied_to]
    found += [_in_rows(field) for field in resolved.destinations]
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


def _senders(rule: IngressRule, conditions: Conditions, visible: Sequence[str]) -> ir.TunnelEndpoint:
    """Replies go to whom packets were taken from."""
    if isinstance(rule.source, RowField):
        return _in_rows(rule.source)
    if not isinstance(rule.source, Addresses):
        return ir.Anywhere()
    if is_long(rule.source):
        return ir.EndpointMap("", conditions.long_list(rule.source, f"ingress_{c_name(rule.name)}__from"))
    whole = {f"ipv{p.version}" for p in rule.source.prefixes if p.prefixlen == 0}
    if whole >= {*visible}:
        return ir.Anywhere()
    received = rule.decapsulate.outer_families
    return ir.EndpointPrefixes(tuple(p for p in rule.source.prefixes if f"ipv{p.version}" in received), rule.name)


def _in_rows(field: RowField) -> ir.EndpointMap:
    return ir.EndpointMap("" if field.type == "ip" else field.type, address_map_name(field))


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

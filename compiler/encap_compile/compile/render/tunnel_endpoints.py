"""How egress recognises what this host has encapsulated: does it go to an endpoint of the spec's tunnels?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import ir
from .conditions import PROTOCOLS, in_map, in_prefixes
from .rule_values import tunnel_endpoint_constants


def set_key(map_: ir.AddressMap) -> str:
    """`address`, which may be of either family, as a key of a map that knows one."""
    return "address.word[3]" if map_.ctype == "__be32" else "to_ipv6(&address)"


def tunnel_endpoint_condition(program: ir.Program) -> str:
    """Whether the packet's destination is one of the ends, as C."""
    terms = list(dict.fromkeys(_term(end, program) for end in program.egress.tunnel_endpoints))
    if "true" in terms:
        return "true"
    return " || ".join(f"({t})" if "&&" in t and len(terms) > 1 else t for t in terms)


def only_tunnel_endpoint(program: ir.Program) -> str:
    """The condition, if it is a single lookup: no function is needed for it."""
    ends = program.egress.tunnel_endpoints
    condition = tunnel_endpoint_condition(program)
    return condition if all(end.map for end in ends) and "&&" not in condition and "||" not in condition else ""


def recognises_tunnel_endpoints(program: ir.Program) -> bool:
    """Whether the destination says anything: what is taken from anyone may be answered to anyone."""
    return tunnel_endpoint_condition(program) != "true"


def compares_ipv6(program: ir.Program) -> bool:
    """Whether the destination is needed as an IPv6 address where the packet's may be of either family."""
    return any(e.value and e.family == "ipv6" for e in program.egress.tunnel_endpoints)


def _term(end: ir.TunnelEndpoint, program: ir.Program) -> str:
    both = program.packet.both
    if end.prefixes:
        names = tunnel_endpoint_constants(end, program)
        return in_prefixes("packet->daddr", end.prefixes, program.packet, names, nested=False)
    if not end.map and not end.value:
        return "true"
    if end.map:
        test = in_map(end.map, "packet->daddr", program)
    elif end.family == "ipv4":
        value = end.value if end.value.startswith("host.") else f"bpf_htonl({end.value})"
        test = f"packet->daddr.word[3] == {value}"
    else:
        test = f"same_ipv6(&ipv6, &{end.value})" if end.value.startswith("host.") else f"is_ipv6(&ipv6, {end.value})"
    if not both or not end.family:
        return test
    return f"{'packet->is_ipv4' if end.family == 'ipv4' else '!packet->is_ipv4'} && {test}"


def merged_signatures(signatures: Sequence[ir.Signature]) -> list[ir.Signature]:
    """One for each family and protocol, however many encapsulations share it."""
    found: dict[object, ir.Signature] = {}
    for s in signatures:
        known = found.setdefault((s.protocols, s.port), s)
        if known.family != s.family:
            found[(s.protocols, s.port)] = known._replace(family="")
    return list(found.values())


def signature_condition(signature: ir.Signature, program: ir.Program) -> str:
    terms = []
    if program.packet.both and signature.family:
        terms.append("packet->is_ipv4" if signature.family == "ipv4" else "!packet->is_ipv4")
    protocols = " || ".join(f"packet->protocol == {PROTOCOLS.get(p, str(p))}" for p in signature.protocols)
    terms.append(f"({protocols})" if len(signature.protocols) > 1 else protocols)
    if signature.port >= 0:
        terms.append(f"packet->destination_port == bpf_htons({signature.port_constant})")
    return " && ".join(terms)


TUNNEL_ENDPOINT_FILTERS: dict[str, Callable[..., Any]] = {
    f.__name__: f
    for f in (
        compares_ipv6,
        merged_signatures,
        only_tunnel_endpoint,
        recognises_tunnel_endpoints,
        set_key,
        signature_condition,
        tunnel_endpoint_condition,
    )
}

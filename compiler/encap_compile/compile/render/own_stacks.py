"""How egress recognises what this host has encapsulated already, as C."""

from __future__ import annotations

from typing import assert_never

from .. import ir
from .conditions import PROTOCOLS, in_map, in_prefixes
from .rule_values import sender_constants


def recognised_stacks(program: ir.Program) -> ir.OwnStacks | None:
    """Those that a packet, or what an ICMP error quotes, can carry."""
    return program.egress.paths.own if program.egress.paths else program.egress.own


def _needs(program: ir.Program) -> ir.PacketNeeds:
    """With the families of packets that are quoted too."""
    quoted = program.egress.paths.families if program.egress.paths else ()
    return program.packet._replace(families=tuple(sorted({*program.packet.families, *quoted})))


def set_key(map_: ir.AddressMap) -> str:
    """`address`, which may be of either family, as a key of a map that knows one."""
    return "address.word[3]" if map_.ctype == "__be32" else "to_ipv6(&address)"


def goes_to_endpoint(own: ir.OwnStacks, program: ir.Program) -> str:
    """Whether the packet's destination is one of the endpoints."""
    terms = [_goes_to(endpoint, program) for endpoint in own.endpoints]
    return " || ".join(f"({t})" if "&&" in t and len(terms) > 1 else t for t in terms)


def only_endpoint(own: ir.OwnStacks, program: ir.Program) -> str:
    """The same, if it is a single look-up: no function is needed for it."""
    match own.endpoints:
        case (ir.EndpointMap(family="") as only,):
            return _goes_to(only, program)
        case (ir.EndpointMap() as only,) if not _needs(program).both:
            return _goes_to(only, program)
        case _:
            return ""


def compares_ipv6(own: ir.OwnStacks) -> bool:
    """Whether the destination is needed as an IPv6 address where the packet's may be of either family."""
    return any(isinstance(e, ir.EndpointAddress) and e.family == "ipv6" for e in own.endpoints)


def _goes_to(endpoint: ir.TunnelEndpoint, program: ir.Program) -> str:
    match endpoint:
        case ir.EndpointMap():
            return _of_family(endpoint.family, in_map(endpoint.map, "packet->daddr", program), program)
        case ir.EndpointPrefixes():
            known = next(sender_constants(r, program) for r in program.ingress_rules if r.name == endpoint.rule)
            # Without one: the rule compares none of its prefixes, since one of each family holds all addresses.
            names = [known.get(prefix, "") for prefix in endpoint.prefixes]
            return in_prefixes("packet->daddr", endpoint.prefixes, _needs(program), names, nested=False)
        case ir.EndpointAddress():
            return _of_family(endpoint.family, _is_address(endpoint), program)
        case ir.Anywhere():
            return "true"
        case _:
            assert_never(endpoint)


def _is_address(endpoint: ir.EndpointAddress) -> str:
    ipv4, source = endpoint.family == "ipv4", endpoint.source
    match source:
        case ir.FromHost():
            value = f"host.{source.member}"
            return f"packet->daddr.word[3] == {value}" if ipv4 else f"same_ipv6(&ipv6, &{value})"
        case ir.Literal():
            value = endpoint.constant
            return f"packet->daddr.word[3] == bpf_htonl({value})" if ipv4 else f"is_ipv6(&ipv6, {value})"
        case _:
            assert_never(source)


def _of_family(family: str, test: str, program: ir.Program) -> str:
    if not _needs(program).both or not family:
        return test
    return f"{'packet->is_ipv4' if family == 'ipv4' else '!packet->is_ipv4'} && {test}"


def has_signature(signature: ir.Signature, program: ir.Program) -> str:
    """Whether the packet has the outer protocol and port of one of our stacks."""
    numbers = " || ".join(f"packet->protocol == {PROTOCOLS.get(p, str(p))}" for p in signature.protocols)
    protocol = _of_family(signature.family, f"({numbers})" if len(signature.protocols) > 1 else numbers, program)
    port = f" && packet->destination_port == bpf_htons({signature.port.constant})" if signature.port else ""
    return f"{protocol}{port}"

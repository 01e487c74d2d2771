"""What is none for the rules: what this host has encapsulated already, and what keeps a link alive."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from typing import assert_never

from .. import ir
from .conditions import contains, in_prefixes
from .facts import Facts, Network, any_address
from .packet import Packet
from .run import Run

# RFC 3927; RFC 5771, section 4; RFC 919; RFC 4291, sections 2.5.6 and 2.7
LINK_LOCAL: Mapping[str, tuple[Network, ...]] = {
    "ipv4": (IPv4Network("169.254.0.0/16"), IPv4Network("224.0.0.0/24"), IPv4Network("255.255.255.255/32")),
    "ipv6": (IPv6Network("fe80::/10"), IPv6Network("ff01::/16"), IPv6Network("ff02::/16")),
}


def is_aside(run: Run, packet: Packet, kind: ir.Aside) -> bool:
    match kind:
        case ir.Aside.OWN_STACK:
            return carries_own_stack(run, packet, run.machine.program.egress.own)
        case ir.Aside.DISCOVERY:
            return packet.discovery
        case ir.Aside.LINK_LOCAL_IPV4 | ir.Aside.LINK_LOCAL_IPV6:
            family = "ipv4" if kind is ir.Aside.LINK_LOCAL_IPV4 else "ipv6"
            return packet.family == family and in_prefixes(packet.destination, family, LINK_LOCAL[family])
        case _:
            assert_never(kind)


def carries_own_stack(run: Run, packet: Packet, own: ir.OwnStacks | None) -> bool:
    """By the outer protocol and port, from one of our outer sources, to an endpoint of the spec's tunnels."""
    facts = run.machine.facts
    for signature in own.signatures if own else ():
        family = not signature.family or packet.family == signature.family
        port = signature.port is None or packet.destination_port == signature.port.number
        if own and family and packet.protocol in signature.protocols and port:
            return packet.source in facts.own and any(_goes_to(facts, packet, found) for found in own.endpoints)
    return False


def _goes_to(facts: Facts, packet: Packet, endpoint: ir.TunnelEndpoint) -> bool:
    match endpoint:
        case ir.EndpointMap():
            if endpoint.family and endpoint.family != packet.family:
                return False
            known = facts.sets.get(endpoint.map)
            if known is not None:
                return packet.destination in known
            return contains(packet.destination, facts.prefixes[endpoint.map])
        case ir.EndpointPrefixes():
            return in_prefixes(packet.destination, packet.family, endpoint.prefixes)
        case ir.EndpointAddress():
            source = endpoint.source
            value = facts.host[source.member] if isinstance(source, ir.FromHost) else source.value
            if not isinstance(value, bytes):
                value = value.to_bytes(4 if endpoint.family == "ipv4" else 16, "big")
            return packet.family == endpoint.family and any_address(value) == packet.destination
        case ir.Anywhere():
            return True
        case _:
            assert_never(endpoint)

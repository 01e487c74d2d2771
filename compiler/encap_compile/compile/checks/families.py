"""Conditions that no packet can meet, because the IP families differ or because it never comes to the rules."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

from ...common.diagnostics import Findings
from ...common.value_names import PROTOCOL_NAMES, PROTOCOLS
from ..resolved.matches import matches
from ..spec import Addresses, Match, Spec

ONLY = {PROTOCOLS["icmp"]: 4, PROTOCOLS["igmp"]: 4, PROTOCOLS["icmpv6"]: 6}
INSTEAD = {PROTOCOLS["icmp"]: "icmpv6", PROTOCOLS["icmpv6"]: "icmp"}
# Link-local and link-scope multicast pass before the rules.
BEFORE4 = (IPv4Network("169.254.0.0/16"), IPv4Network("224.0.0.0/24"))
BEFORE6 = (IPv6Network("fe80::/10"), IPv6Network("ff01::/16"), IPv6Network("ff02::/16"))


def check(spec: Spec, findings: Findings) -> None:
    """E504 a protocol of the other family, E505 source and destination of different families, W511 link-local."""
    for name, match in matches(spec):
        versions = _versions(match.destination) & _versions(match.source)
        if not versions:
            words = f"rule {name} matches a source and a destination of different families"
            findings.error("E505", words, match.place, "no packet has both: write one rule for each family")
            continue
        for number in match.protocol:
            if ONLY.get(number, 0) not in (0, *versions):
                here = "IPv6" if ONLY[number] == 4 else "IPv4"
                words = f"rule {name} matches {PROTOCOL_NAMES[number]} between {here} addresses"
                instead = INSTEAD.get(number)
                help = f"{here} has {instead}" if instead else "leave it out"
                findings.error("E504", words, match.place, help)
    for rule in spec.egress.rules:
        _link_local(rule.name, rule.match, findings)


def _versions(addresses: Addresses | None) -> set[int]:
    return {p.version for p in addresses.prefixes} if addresses and addresses.prefixes else {4, 6}


def _link_local(name: str, match: Match, findings: Findings) -> None:
    if match.destination is None or match.destination.sets:
        return  # a set may well hold more than the rule is about
    for prefix in match.destination.prefixes:
        if isinstance(prefix, IPv4Network):
            before = any(prefix.subnet_of(b) for b in BEFORE4)
        else:
            before = any(prefix.subnet_of(b) for b in BEFORE6)
        if before:
            words = f"rule {name}: packets to {prefix} never come to the rules"
            help = "link-local and link-scope multicast always pass: leave the prefix out"
            findings.warning("W511", words, match.destination.place, help)

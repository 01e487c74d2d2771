"""Conditions as C expressions."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network

from .. import ir
from .owners import any_bit

Prefix = IPv4Network | IPv6Network
MEMBERS = {"source": "saddr", "destination": "daddr"}  # as the kernel calls what the language has other words for
WIDTH = {"protocol": 255, "dscp": 63, "source_port": 65535, "destination_port": 65535, "mark": 0xFFFFFFFF}


def all_of(
    conditions: Sequence[ir.Condition],
    program: ir.Program,
    packet: str = "packet->",
    cgroups: str = "",
    called: str = "",
) -> str:
    """All conditions, joined.

    `packet` is how the packet's members are reached, `cgroups` the set to look in, `called` a call that is asked first.
    """
    found = [called] if called else []
    nested = len(conditions) + len(found) > 1
    for condition in conditions:
        text = _one(condition, program.packet, packet, nested, cgroups)
        for family in (f"{packet}is_ipv4 && ", f"!{packet}is_ipv4 && "):
            # Said once is enough, if it was said of the whole.
            if text.startswith(family) and any(f.startswith(family) for f in found):
                text = text.removeprefix(family)
        found.append(text)
    return " && ".join(found) or "true"


def _one(condition: ir.Condition, needs: ir.PacketNeeds, packet: str, nested: bool, cgroups: str) -> str:
    if isinstance(condition, ir.IsFamily):
        return f"{'' if condition.family == 'ipv4' else '!'}{packet}is_ipv4"
    if isinstance(condition, ir.InPrefixes):
        return in_prefixes(f"{packet}{MEMBERS[condition.member]}", condition.prefixes, needs, packet, nested)
    if isinstance(condition, ir.InCgroups):
        bits = any_bit(cgroups or f"{packet}socket.cgroups", condition.names)
        return f"({bits})" if nested else bits
    if isinstance(condition, ir.InPrefixMap):
        return f"in_{condition.map}({packet}{MEMBERS[condition.member]})"
    return _ranges(condition, needs, packet, nested)


def in_prefixes(
    address: str, prefixes: Sequence[Prefix], needs: ir.PacketNeeds, packet: str = "packet->", nested: bool = True
) -> str:
    """The address is in one of the prefixes, of whichever family."""
    terms = []
    for version in (4, 6):
        own = [p for p in prefixes if p.version == version]
        if not own or f"ipv{version}" not in needs.families:
            continue
        family = f"{'' if version == 4 else '!'}{packet}is_ipv4 && " if needs.both else ""
        alternatives = [_prefix(address, p, mapped=True) for p in own]
        if any(a == "" for a in alternatives):
            terms.append(family.removesuffix(" && ") or "true")
            continue
        joined = " || ".join(alternatives)
        if len(alternatives) > 1 and (family or nested):
            joined = f"({joined})"
        terms.append(f"{family}{joined}")
    if not terms:
        return "false"
    if len(terms) > 1:
        both = " || ".join(f"({t})" if "&&" in t else t for t in terms)
        return f"({both})" if nested else both
    return terms[0]


def _prefix(address: str, prefix: Prefix, mapped: bool) -> str:
    """One prefix; empty if every address of the family is in it."""
    if prefix.prefixlen == 0:
        return ""
    if prefix.version == 4:
        word = f"{address}.word[3]" if mapped else address
        return masked(word, int(prefix.network_address), int(prefix.netmask))
    network, mask = prefix.network_address.packed, prefix.netmask.packed
    terms = []
    for i in range(4):
        word_mask = int.from_bytes(mask[4 * i : 4 * i + 4], "big")
        if word_mask:
            terms.append(masked(f"{address}.word[{i}]", int.from_bytes(network[4 * i : 4 * i + 4], "big"), word_mask))
    return " && ".join(terms) if len(terms) == 1 else f"({' && '.join(terms)})"


def masked(word: str, value: int, mask: int) -> str:
    if mask == 0xFFFFFFFF:
        return f"{word} == bpf_htonl({value:#010x})"
    return f"({word} & bpf_htonl({mask:#010x})) == bpf_htonl({value:#010x})"


def _ranges(condition: ir.InRanges, needs: ir.PacketNeeds, packet: str, nested: bool) -> str:
    member = f"{packet}{condition.member}"
    port = condition.member.endswith("_port")
    terms = []
    if condition.unseen:
        if port:
            terms.append(f"{packet}ports_unseen")
        elif "ipv6" in needs.families:
            terms.append(f"{packet}protocol == PROTOCOL_UNSEEN")
    for first, last in condition.ranges:
        if first == last:
            terms.append(f"{member} == {f'bpf_htons({first})' if port else _number(condition.member, first)}")
            continue
        value = f"bpf_ntohs({member})" if port else member
        bounds = []
        if first > 0:
            bounds.append(f"{value} >= {_number(condition.member, first)}")
        if last < WIDTH[condition.member]:
            bounds.append(f"{value} <= {_number(condition.member, last)}")
        if not bounds:
            return "true"
        terms.append(" && ".join(bounds) if len(bounds) == 1 else f"({' && '.join(bounds)})")
    text = " || ".join(terms)
    if port and not condition.unseen:
        # A packet that hides its ports is not taken to have these.
        return f"!{packet}ports_unseen && {f'({text})' if len(terms) > 1 else text}"
    return f"({text})" if nested and len(terms) > 1 else text


PROTOCOLS = {
    4: "IPPROTO_IPIP",
    6: "IPPROTO_TCP",
    17: "IPPROTO_UDP",
    41: "IPPROTO_IPV6",
    47: "IPPROTO_GRE",
    58: "IPPROTO_ICMPV6",
    132: "IPPROTO_SCTP",
}


def _number(member: str, value: int) -> str:
    if member == "protocol":
        return PROTOCOLS.get(value, str(value))
    return f"{value:#x}" if member == "mark" else str(value)

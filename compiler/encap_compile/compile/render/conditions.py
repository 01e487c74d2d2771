"""Conditions as C expressions."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network

from .. import ir
from .attribution import any_bit

Prefix = IPv4Network | IPv6Network
MEMBERS = {"source": "saddr", "destination": "daddr"}  # as the kernel calls what the language has other words for


def all_of(
    conditions: Sequence[ir.Condition],
    program: ir.Program,
    base: str = "",
    cgroups: str = "",
    called: str = "",
) -> str:
    """All conditions, joined.

    `base` begins the names of their values; without, the values stand there themselves. `cgroups` is the set to look
    in, `called` a call that is asked first.
    """
    found = [called] if called else []
    nested = len(conditions) + len(found) > 1
    for condition in conditions:
        text = _one(condition, program, base, nested, cgroups)
        for family in ("packet->is_ipv4 && ", "!packet->is_ipv4 && "):
            # Said once is enough, if it was said of the whole.
            if text.startswith(family) and any(f.startswith(family) for f in found):
                text = text.removeprefix(family)
        if text != "true":
            found.append(text)
    return " && ".join(found) or "true"


def _one(condition: ir.Condition, program: ir.Program, base: str, nested: bool, cgroups: str) -> str:
    if isinstance(condition, ir.IsFamily):
        return f"{'' if condition.family == 'ipv4' else '!'}packet->is_ipv4"
    if isinstance(condition, ir.InPrefixes):
        name = constant_name(base, condition.member)
        names = prefix_names(condition.prefixes, condition.sets, name, program) if base else []
        return in_prefixes(f"packet->{MEMBERS[condition.member]}", condition.prefixes, program.packet, names, nested)
    if isinstance(condition, ir.InCgroups):
        bits = any_bit(cgroups or "packet->socket.cgroups", condition.names)
        return f"({bits})" if nested else bits
    if isinstance(condition, ir.InPrefixMap):
        return in_map(condition.map, f"packet->{MEMBERS[condition.member]}", program)
    return _ranges(condition, program.packet, constant_name(base, condition.member) if base else "", nested)


def in_map(name: str, address: str, program: ir.Program) -> str:
    """Whether a map of addresses has one: the library looks into those whose key is just that."""
    whole = any(m.name == name and is_of_addresses(m) for m in program.address_maps)
    return f"has_address(&{name}, {address})" if whole else f"in_{name}({address})"


def is_of_addresses(map_: ir.AddressMap) -> bool:
    """Whether its key is an address of either family, and nothing else."""
    return map_.kind == "hash" and map_.ctype == "struct ip_address"


def constant_name(base: str, word: str) -> str:
    """How the constants of a rule's word begin; `base` is the rule's."""
    return f"{base}__{word}".upper()


def numbered(name: str, index: int) -> str:
    """The constant of one of several values: `__` keeps it apart from a name of the spec that ends with a number."""
    between = "_" if "__" in name else "__"
    return f"{name}{between}{index + 1}" if index else name


def prefix_names(prefixes: Sequence[Prefix], sets: Sequence[str], name: str, program: ir.Program) -> list[str]:
    """The constants of prefixes: those of a set's are the set's, others begin with `name`."""
    found = []
    own = 0
    for prefix in prefixes:
        named = next((s for s in program.sets if s.name in sets and prefix in s.prefixes), None)
        if named is not None:
            found.append(numbered(f"SET_{named.c_name}".upper(), named.prefixes.index(prefix)))
        else:
            found.append(numbered(name, own))
            own += 1
    return found


def in_prefixes(
    address: str, prefixes: Sequence[Prefix], needs: ir.PacketNeeds, names: Sequence[str], nested: bool
) -> str:
    """The address is in one of the prefixes, of whichever family. `names` are their constants, or there are none."""
    terms = []
    for version in (4, 6):
        own = [(i, p) for i, p in enumerate(prefixes) if p.version == version]
        if not own or f"ipv{version}" not in needs.families:
            continue
        family = f"{'' if version == 4 else '!'}packet->is_ipv4 && " if needs.both else ""
        if any(p.prefixlen == 0 for _, p in own):
            terms.append(family.removesuffix(" && ") or "true")
            continue
        joined = " || ".join(in_prefix(address, p, names[i] if names else "") for i, p in own)
        if len(own) > 1 and (family or nested):
            joined = f"({joined})"
        terms.append(f"{family}{joined}")
    if not terms:
        return "false"
    if len(terms) > 1:
        both = " || ".join(f"({t})" if "&&" in t else t for t in terms)
        return f"({both})" if nested else both
    return terms[0]


def in_prefix(address: str, prefix: Prefix, name: str = "") -> str:
    """The address, a `struct ip_address`, is in a prefix, whose constant is `name`."""
    return f"in_ipv{prefix.version}(&{address}, {name or prefix_arguments(prefix)})"


def prefix_arguments(prefix: Prefix) -> str:
    """A prefix as the library's functions take it."""
    packed = prefix.network_address.packed
    if prefix.version == 4:
        return f"IPV4({', '.join(map(str, packed))}), {prefix.prefixlen}"
    groups = (int.from_bytes(packed[i : i + 2], "big") for i in range(0, 16, 2))
    return f"IPV6({', '.join(f'{g:#x}' if g else '0' for g in groups)}), {prefix.prefixlen}"


def _ranges(condition: ir.InRanges, needs: ir.PacketNeeds, name: str, nested: bool) -> str:
    member = f"packet->{condition.member}"
    port = condition.member.endswith("_port")
    terms = []
    if condition.unseen:
        if port:
            terms.append("packet->ports_unseen")
        elif "ipv6" in needs.families:
            terms.append("packet->protocol == PROTOCOL_UNSEEN")
    for i, (first, last) in enumerate(condition.ranges):
        value = numbered(name, i) if name else range_arguments(condition.member, first, last)
        if first == last:
            terms.append(f"{member} == {f'bpf_htons({value})' if port else value}")
        else:
            terms.append(f"in_range({f'bpf_ntohs({member})' if port else member}, {value})")
    text = " || ".join(terms)
    if port and not condition.unseen:
        # A packet that hides its ports is not taken to have these.
        return f"!packet->ports_unseen && {f'({text})' if len(terms) > 1 else text}"
    return f"({text})" if nested and len(terms) > 1 else text


def range_arguments(member: str, first: int, last: int) -> str:
    """A number, or a range as the library's function takes it."""
    numbers = (first,) if first == last else (first, last)
    return ", ".join(_number(member, n) for n in numbers)


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

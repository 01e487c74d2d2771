"""From a match to the conditions a packet must meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network
from types import MappingProxyType

from .. import ir
from ..resolved import ConnectRule, EgressRule, IngressRule
from ..resolved.matches import INLINE_PREFIXES
from ..spec import Addresses, Prefix, Range
from .c_names import c_name

FAMILIES = ("ipv4", "ipv6")
Rule = EgressRule | ConnectRule | IngressRule
NO_CGROUPS: Mapping[str, str] = MappingProxyType({})
PORT_WORDS = ("source_port", "destination_port")
MOST = {**dict.fromkeys(PORT_WORDS, 0xFFFF), "mark": 0xFFFFFFFF}
LINK_LOCAL: dict[str, tuple[Prefix, ...]] = {
    # RFC 3927; link-scope multicast (RFC 5771, section 4); limited broadcast (RFC 919)
    "ipv4": (IPv4Network("169.254.0.0/16"), IPv4Network("224.0.0.0/24"), IPv4Network("255.255.255.255/32")),
    # RFC 4291, sections 2.5.6 and 2.7: link-local unicast, interface-local and link-local multicast
    "ipv6": (IPv6Network("fe80::/10"), IPv6Network("ff01::/16"), IPv6Network("ff02::/16")),
}


def catches(rule: Rule, family: str, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    """Whether a packet of `family` to one of `networks` could meet the rule's match."""
    if family not in rule.families:
        return False
    destination = rule.match.destination
    return destination is None or any(
        p.version == n.version and p.overlaps(n) for p in destination.prefixes for n in networks
    )


def _pairs(ranges: Sequence[Range]) -> tuple[tuple[int, int], ...]:
    """As they are written, each with a constant of its own: another value of one is no other of its neighbours'."""
    return tuple(dict.fromkeys((r.first, r.last) for r in ranges))


def hidden_words(families: Sequence[str]) -> frozenset[str]:
    """What later fragments do not show: ports, and in IPv6 the protocol too."""
    return frozenset((*PORT_WORDS, *(("protocol",) if "ipv6" in families else ())))


def hidden_by_fragments(conditions: Sequence[ir.Condition], families: Sequence[str]) -> bool:
    """Whether any of the conditions asks for what later fragments do not show."""
    return any(isinstance(c, ir.InRanges) and c.member in hidden_words(families) for c in conditions)


def _is_any_address(addresses: Addresses, families: Sequence[str]) -> bool:
    """Whether all addresses of the families are among them."""
    return {f"ipv{p.version}" for p in addresses.prefixes if p.prefixlen == 0} >= {*families}


def _is_any_number(member: str, ranges: Sequence[Range]) -> bool:
    return any(r.first == 0 and r.last == MOST[member] for r in ranges)


class Conditions:
    """Turns matches into conditions; remembers the long prefix lists that need a map."""

    def __init__(self, families: tuple[str, ...], cgroups: Mapping[str, str] = NO_CGROUPS) -> None:
        """`cgroups`: the constants of those that rules name, by path."""
        self.families = families  # that the program looks at
        self.cgroups = cgroups
        self.prefix_maps: dict[str, Addresses] = {}

    def of(self, rule: Rule, unseen: bool, name: str) -> tuple[ir.Condition, ...]:
        """What every packet meets is no condition.

        `unseen`: whether a packet that hides its protocol or ports is taken to have the right ones.

        `name` is within the names of maps that the rule alone needs.
        """
        found: list[ir.Condition] = []
        match, families = rule.match, rule.families
        for member, addresses in (("destination", match.destination), ("source", match.source)):
            if addresses is not None and not _is_any_address(addresses, families):
                found.append(self._addresses(member, addresses, families, name))
        if len(families) < len(self.families) and all(self._admits_others(c, families) for c in found):
            found.insert(0, ir.IsFamily(families[0]))
        if match.protocol:
            found.append(ir.InRanges("protocol", tuple((p, p) for p in match.protocol), unseen))
        for member, ranges in (("destination_port", match.destination_port), ("source_port", match.source_port)):
            if ranges and not _is_any_number(member, ranges):
                found.append(ir.InRanges(member, _pairs(ranges), unseen))
        if match.dscp:
            found.append(ir.InRanges("dscp", tuple((d, d) for d in match.dscp)))
        if match.mark and not _is_any_number("mark", match.mark):
            found.append(ir.InRanges("mark", _pairs(match.mark)))
        if match.cgroup:
            found.append(ir.InCgroups(tuple(self.cgroups[path] for path in match.cgroup)))
        return tuple(found)

    def _addresses(self, member: str, addresses: Addresses, families: tuple[str, ...], name: str) -> ir.Condition:
        prefixes = tuple(p for p in addresses.prefixes if f"ipv{p.version}" in families)
        if len(prefixes) <= INLINE_PREFIXES:
            return ir.InPrefixes(member, prefixes, addresses.sets)
        return ir.InPrefixMap(member, self.long_list(addresses, f"{name}__{member}"))

    def _admits_others(self, condition: ir.Condition, families: tuple[str, ...]) -> bool:
        """Whether addresses of other families meet it too: a map holds the whole list, for all rules that have it."""
        if not isinstance(condition, ir.InPrefixMap):
            return False
        return any(f"ipv{p.version}" not in families for p in self.prefix_maps[condition.map].prefixes)

    def long_list(self, addresses: Addresses, otherwise: str) -> str:
        """The name of the map that holds a long prefix list: one for each list, however many rules have it."""
        for name, known in self.prefix_maps.items():
            if known.sets == addresses.sets and known.prefixes == addresses.prefixes:
                return name
        sets = "__and_".join(c_name(s) for s in addresses.sets)
        alone = set(addresses.written) <= set(addresses.sets)  # without prefixes beside them, which are the rule's own
        name = f"set_{sets}" if sets and alone else f"list_{otherwise}"
        self.prefix_maps[name] = addresses
        return name

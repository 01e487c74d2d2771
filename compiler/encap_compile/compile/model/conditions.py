"""Whether a packet meets the conditions of a rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from .. import ir
from .facts import Facts, Network, plain
from .packet import UNSEEN, Packet

PORTS = ("source_port", "destination_port")


def first_unmet(
    conditions: Sequence[ir.Condition], packet: Packet, needs: ir.PacketNeeds, facts: Facts, cgroups: dict[str, str]
) -> ir.Condition | None:
    """The first condition that does not hold; None if all do. `cgroups`: the paths of cgroups by their constants."""
    return next((c for c in conditions if not _holds(c, packet, needs, facts, cgroups)), None)


def _holds(
    condition: ir.Condition, packet: Packet, needs: ir.PacketNeeds, facts: Facts, cgroups: dict[str, str]
) -> bool:
    if isinstance(condition, ir.IsFamily):
        return packet.family == condition.family
    if isinstance(condition, ir.InPrefixes):
        return in_prefixes(getattr(packet, condition.member), packet.family, condition.prefixes)
    if isinstance(condition, ir.InPrefixMap):
        return contains(getattr(packet, condition.member), facts.prefixes[condition.map])
    if isinstance(condition, ir.InCgroups):
        return any(cgroups[name] in packet.socket.cgroups for name in condition.names)
    return _in_ranges(condition, packet, needs)


def _in_ranges(condition: ir.InRanges, packet: Packet, needs: ir.PacketNeeds) -> bool:
    value = getattr(packet, condition.member)
    if condition.member in PORTS and packet.ports_unseen:  # whatever they are, all of them are in the widest range
        return condition.unseen or (0, 0xFFFF) in condition.ranges
    if condition.member == "protocol" and value == UNSEEN and condition.unseen and "ipv6" in needs.families:
        return True
    return any(first <= value <= last for first, last in condition.ranges)


def in_prefixes(address: bytes, family: str, prefixes: Sequence[Network]) -> bool:
    """An address of 16 bytes, of a packet of that family, in one of the prefixes."""
    version = 4 if family == "ipv4" else 6
    number = int.from_bytes(address[12:] if version == 4 else address, "big")
    return any(number & mask == network for network, mask in _numbers(tuple(prefixes), version))


@lru_cache(maxsize=1024)
def _numbers(prefixes: tuple[Network, ...], version: int) -> tuple[tuple[int, int], ...]:
    return tuple((int(p.network_address), int(p.netmask)) for p in prefixes if p.version == version)


def contains(address: bytes, prefixes: Sequence[Network]) -> bool:
    """Whether an address of 16 bytes, of whichever family it is, is in one of the prefixes."""
    return in_prefixes(address, "ipv4" if len(plain(address)) == 4 else "ipv6", prefixes)


def text(condition: ir.Condition, cgroups: Mapping[str, str]) -> str:
    """A condition for people. `cgroups` are paths by the constants of their bits."""
    if isinstance(condition, ir.IsFamily):
        return condition.family
    if isinstance(condition, ir.InPrefixes):
        return f"{condition.member} in {', '.join(map(str, condition.prefixes)) or 'no prefix'}"
    if isinstance(condition, ir.InPrefixMap):
        return f"{condition.member} in {condition.map}"
    if isinstance(condition, ir.InCgroups):
        return f"cgroup {' or '.join(cgroups[name] for name in condition.names)}"
    found = (str(first) if first == last else f"{first}-{last}" for first, last in condition.ranges)
    return f"{condition.member} in {', '.join(found)}"

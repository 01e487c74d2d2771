"""What a packet must meet."""

from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple


class InPrefixes(NamedTuple):
    """The packet's address is in one of the prefixes. Both families may occur. `sets` are where some came from."""

    member: str  # source, destination
    prefixes: tuple[IPv4Network | IPv6Network, ...]
    sets: tuple[str, ...] = ()


class PrefixSet(NamedTuple):
    """A list of prefixes that rules name."""

    name: str
    c_name: str
    prefixes: tuple[IPv4Network | IPv6Network, ...]


class InPrefixMap(NamedTuple):
    """The same for a long list, kept in an LPM map."""

    member: str
    map: str


class InRanges(NamedTuple):
    """A number of the packet is in one of the inclusive ranges.

    `member`: source_port, destination_port, protocol, dscp or mark. `unseen`: what a later fragment or an unreadable
    header chain, which shows no such number, counts as.
    """

    member: str
    ranges: tuple[tuple[int, int], ...]
    unseen: bool = False


class IsFamily(NamedTuple):
    family: str


class InCgroups(NamedTuple):
    """The packet's socket was made in one of the cgroups, or below. `names` are the constants of their bits."""

    names: tuple[str, ...]


Condition = InPrefixes | InPrefixMap | InRanges | IsFamily | InCgroups

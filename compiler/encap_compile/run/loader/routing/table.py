"""The routing tables, cut into intervals within which every address has the same answer.

The answer can change only where a route or a routing rule begins or ends, whichever table they are in. What it is, the
kernel says itself, for one address of each interval that is asked about: so longest prefixes, metrics, the order of
tables, nexthop objects and VRFs are decided by the kernel.
"""

from __future__ import annotations

import socket
from bisect import bisect_right
from collections.abc import Iterable
from ipaddress import ip_network

from ...kernel.routes import IPAddress, IPNetwork, Route, RoutingRule, destinations, lookup, rules
from .intervals import BITS, Interval, interval, sample

MOST_INTERVALS = 100_000  # looked up in one family and VRF: a proof is bounded, and plan says so

# Where the kernel checks an address by itself, besides its tables (ip_route_output_key_hash_rcu).
_SPECIAL = {4: ("0.0.0.0/32", "224.0.0.0/4", "255.255.255.255/32"), 6: ("::/128", "ff00::/8")}
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}


class RoutingTable:
    """The routes of one family. `starts` are the first addresses of the intervals; interval n ends where n+1 begins.

    A `vrf` is the index of the VRF device whose table is asked, 0 for packets that belong to none.
    """

    def __init__(self, version: int, cuts: Iterable[IPNetwork]) -> None:
        self.version = version
        self.top = (1 << BITS[version]) - 1
        found = {0}
        for prefix in (*cuts, *map(ip_network, _SPECIAL[version])):
            first, last = interval(prefix)
            found.add(first)
            if last < self.top:
                found.add(last + 1)
        self.starts = sorted(found)
        self.beyond: set[int] = set()  # intervals that were not looked up, because of the bound
        self._routes: dict[int, dict[int, Route]] = {}

    def at(self, number: int) -> int:
        """The interval in which an address lies."""
        return bisect_right(self.starts, number) - 1

    def within(self, first: int, last: int) -> range:
        """The intervals that have an address of first to last."""
        return range(self.at(first), self.at(last) + 1)

    def bounds(self, index: int) -> Interval:
        """The first and the last address of an interval."""
        following = index + 1
        return self.starts[index], self.starts[following] - 1 if following < len(self.starts) else self.top

    def sample(self, index: int) -> IPAddress:
        """An address of an interval."""
        return sample(self.version, *self.bounds(index))

    def find(self, indices: Iterable[int], vrf: int = 0) -> None:
        """Look up what is not known yet, in one go. Raises KernelError."""
        known = self._routes.setdefault(vrf, {})
        missing = [i for i in dict.fromkeys(indices) if i not in known]
        room = MOST_INTERVALS - len(known)
        self.beyond.update(missing[room:])
        missing = missing[:room]
        known.update(zip(missing, lookup(map(self.sample, missing), vrf), strict=True))

    def route(self, index: int, vrf: int = 0) -> Route | None:
        """The route of an interval; None beyond the bound. Raises KernelError."""
        if index not in self._routes.get(vrf, ()):
            self.find([index], vrf)
        return self._routes[vrf].get(index)


def routing_table(version: int) -> tuple[RoutingTable, list[RoutingRule]]:
    """The routes of a family and its routing rules, as they are now. Raises KernelError."""
    family = FAMILIES[version]
    found = rules(family)
    cuts = [rule.destination for rule in found if rule.destination is not None]
    return RoutingTable(version, [*destinations(family), *cuts]), found

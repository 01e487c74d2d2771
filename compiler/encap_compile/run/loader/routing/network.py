"""Routes checked for the attached devices: which way a destination's packets take, and whether they meet a program."""

from __future__ import annotations

from collections.abc import Iterable

from ....common.record import Record
from ...kernel.routes import Hop, IPAddress, Kind, Route
from .device_states import Attachment
from .table import RoutingTable

_SENT = (Kind.UNICAST, Kind.MULTICAST)


class Way(Record):
    """The route of an interval, in the VRF in which it was found; `reached` says whether an attached device sees it.

    Of a route with several hops, `missed` are those that no attached device sees.
    """

    route: Route
    vrf: int
    reached: bool
    missed: tuple[Hop, ...] = ()
    link_local: bool = False  # such destinations pass before the rules

    @property
    def on_link(self) -> bool:
        """The destination is its own next hop."""
        return any(hop.gateway is None for hop in self.route.hops)

    @property
    def destination(self) -> str:
        """The route's own destination, in words."""
        prefix = self.route.prefix
        if prefix is None:
            return "a route"
        return str(prefix) if prefix.prefixlen else f"the IPv{prefix.version} default route"

    @property
    def own(self) -> bool:
        """For this host, or for its link alone: no packet that a tunnel could take."""
        return self.route.own or self.route.kind is Kind.BROADCAST or self.link_local


class Network:
    """Both families' routing tables, asked in the VRFs of the attached devices."""

    def __init__(self, attachment: Attachment, tables: dict[int, RoutingTable]) -> None:
        self.attachment, self.tables = attachment, tables
        self._ways: dict[tuple[int, int], Way | None] = {}

    def find(self, version: int, indices: Iterable[int]) -> None:
        """Look intervals up, in one go. Raises KernelError."""
        wanted = list(indices)
        for vrf in self.attachment.vrfs:
            self.tables[version].find(wanted, vrf)

    def way(self, version: int, index: int) -> Way | None:
        """The way of an interval's packets; None beyond the bound of what is looked up."""
        if (version, index) not in self._ways:
            self._ways[version, index] = self._way(version, index)
        return self._ways[version, index]

    def _way(self, version: int, index: int) -> Way | None:
        first: Way | None = None
        for vrf in self.attachment.vrfs:
            route = self.tables[version].route(index, vrf)
            if route is None:
                return None
            if self.tables[version].sample(index).is_link_local:
                return Way(route, vrf, False, link_local=True)
            missed = tuple(hop for hop in route.hops if not self.attachment.passed(hop.ifindex))
            found = Way(route, vrf, route.kind in _SENT and len(missed) < len(route.hops), missed)
            first = first or found
            if found.reached:
                return found
        return first

    def used(self) -> list[int]:
        """The devices that any way led over that was asked for."""
        ways = (way for way in self._ways.values() if way is not None and way.reached)
        return list(dict.fromkeys(hop.ifindex for way in ways for hop in way.route.hops))

    def via(self, route: Route, destination: IPAddress) -> str:
        """Where a route leads, in words."""
        if route.kind is Kind.NONE:
            return "is missing"
        if not route.hops:
            return f"is of type {route.kind}: nothing is sent"
        hops = (f"{h.gateway or destination} on {self.attachment.name(h.ifindex)}" for h in route.hops)
        return f"leads to {' and '.join(hops)}"

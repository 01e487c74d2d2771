"""Whether an encapsulated packet leaves to the neighbour that its tunnel endpoint is behind (H113, H115).

A TC program at egress sees a packet after the kernel has chosen its device and neighbour for the *inner* destination.
With `next_hop: keep` the outer packet goes to that neighbour, so it must be on the way to the tunnel endpoint. The
frame carries its MAC address alone: next hops of both families, or two addresses of one router, may be one neighbour.
With `route` it goes to the tunnel endpoint's own neighbour on that device, so the devices must be the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import Enum, auto
from functools import cached_property

from ....common.manifest import RuleSummary
from ....common.values import MAPPED
from ...kernel.neighbours import Neighbours, neighbours
from ...kernel.routes import Hop, IPAddress, Kind, Route
from .intervals import address
from .network import Network, Way
from .pairs import OUTSIDE, Placed
from .reach import Target, family_of, named
from .report import SHOWN, RouteReport, listed
from .tunnel_endpoints import Location, TunnelEndpoints, of_interval

MOST_WAYS = 64  # of the packets of a table that is not keyed by destination


class Verdict(Enum):
    """Of a tunnel endpoint, for the packets that go there."""

    RIGHT = auto()
    UNKNOWN = auto()
    UNREACHED = auto()
    WRONG = auto()
    OWN = auto()


class NextHops:
    """Compares the ways of inner packets with those of their tunnel endpoints."""

    def __init__(self, network: Network, keep: bool, report: RouteReport) -> None:
        self.network, self.keep, self.report = network, keep, report
        self.wrong: dict[str, None] = {}
        self.wrong_count = 0
        self.unknown: dict[IPAddress, int] = {}
        self._own: dict[str, None] = {}
        self._on_link: tuple[dict[str, RuleSummary], dict[str, None]] = {}, {}  # rules, links

    def check(
        self, target: Target, placed: Sequence[Placed], endpoints: Sequence[bytes], known: TunnelEndpoints
    ) -> None:
        """Compare all rows of a table, each once."""
        for version in self.network.tables:
            self.network.find(version, known.intervals(version))
        if target.by_destination:
            for rows in placed:
                self._check_placed(target, rows, endpoints, known)
        else:
            self._check_any(target, endpoints, known)

    def finish(self) -> None:
        """Say what was found."""
        report = self.report
        report.own = list(self._own)
        if self._on_link[0]:
            self._say_on_link()
        if self.unknown:
            self._say_unknown()
        if self.wrong_count:
            more = "; and others" if self.wrong_count > SHOWN else ""
            what = "next hop" if self.keep else "device"
            words = (
                f"{what} differs for {self.wrong_count} of {_endpoints(report.pairs)}: {'; '.join(self.wrong)}{more}"
            )
            fix = "route the inner prefix over the endpoint's next hop, or write `next_hop: route` under egress"
            if not self.keep:
                fix = "route the inner prefix over the endpoint's device: the packet leaves by the device it came to"
            report.warn("H113", words, fix)

    def _check_placed(self, target: Target, placed: Placed, endpoints: Sequence[bytes], known: TunnelEndpoints) -> None:
        """Rows that are found by the packet's destination."""
        self.network.find(placed.version, placed.hit())
        at = placed.at if not placed.crossing else placed.only()
        chosen = endpoints if len(placed.rows) == len(endpoints) else [endpoints[i] for i in placed.rows]
        indices = dict.fromkeys(at)
        for index in (i for i in indices if i != OUTSIDE):
            way = self.network.way(placed.version, index)
            if way is not None and self.keep and way.reached and way.on_link:
                self._check_on_link(way, placed, [p for p, here in enumerate(at) if here == index], chosen, known)
                continue
            mine = of_interval(chosen, at, index, len(indices) == 1)
            shown = self._check_way(way, mine, known)
            for endpoint in shown if way is not None else ():
                position = next(
                    p for p, (here, one) in enumerate(zip(at, chosen, strict=True)) if here == index and one == endpoint
                )
                self._show(way, endpoint, placed.inner(position))  # type: ignore[arg-type]
        for position, several in placed.crossing.items():
            found = self._beyond_link(target, self._ways_of(placed.version, several))
            if several:
                self._check_ways(found, [chosen[position]], known, by_route=True)

    def _check_on_link(
        self, way: Way, placed: Placed, positions: Sequence[int], endpoints: Sequence[bytes], known: TunnelEndpoints
    ) -> None:
        """Rows whose destinations are next hops of their own: right if the tunnel endpoint is the same neighbour."""
        near = {int(a) for _, a in self._neighbours if a.version == placed.version}
        first, size = placed.first, 4 if placed.version == 4 else 16
        apart = [p for p in positions if first[p] in near or first[p] == int.from_bytes(endpoints[p][-size:], "big")]
        for position in apart:
            self._check_ways({way: placed.inner(position)}, [endpoints[position]], known)
        singly = set(apart)
        others = [p for p in positions if p not in singly]
        if others:
            self._check_ways({way: placed.inner(others[0])}, [endpoints[p] for p in others], known)

    def _check_any(self, target: Target, endpoints: Sequence[bytes], known: TunnelEndpoints) -> None:
        """Rows that any packet of the rules may take: each endpoint must be right for every way of such a packet."""
        ways: dict[Way, IPAddress] = {}
        for version, table in self.network.tables.items():
            indices = [i for low, high in target.intervals(version) for i in table.within(low, high)]
            self.network.find(version, indices)
            ways.update(self._ways_of(version, indices))
        ways = self._beyond_link(target, {w: i for w, i in ways.items() if w.route.kind is Kind.UNICAST})
        self._check_ways(ways, endpoints if not target.row else _of_row(target, endpoints), known, by_route=True)

    def _ways_of(self, version: int, indices: Iterable[int]) -> dict[Way, IPAddress]:
        """The ways that meet a program, each with an address of an interval that takes it."""
        found: dict[Way, IPAddress] = {}
        for index in indices:
            way = self.network.way(version, index)
            if way is not None and way.reached and len(found) < MOST_WAYS:
                found.setdefault(way, self.network.tables[version].sample(index))
        return found

    def _beyond_link(self, target: Target, ways: dict[Way, IPAddress]) -> dict[Way, IPAddress]:
        """Without hosts on the link, if there are others: those are next hops of their own, which H126 says."""
        if not self.keep or all(way.on_link for way in ways):
            return ways
        rules, links = self._on_link
        for way in ways:
            if way.on_link:
                rules.update((rule.name, rule) for rule in target.rules)
                links.update(
                    (f"{way.route.prefix} on {self.network.attachment.name(h.ifindex)}", None) for h in way.route.hops
                )
        return {way: inner for way, inner in ways.items() if not way.on_link}

    def _check_ways(
        self, ways: dict[Way, IPAddress], endpoints: Sequence[bytes], known: TunnelEndpoints, by_route: bool = False
    ) -> None:
        """Tunnel endpoints for packets that may take any of some ways: the worst counts. `by_route` names them."""
        if len(ways) <= 1:
            way, inner = next(iter(ways.items()), (None, None))
            shown = self._check_way(way, endpoints, known, inner)
            for endpoint in shown if way is not None and inner is not None else ():
                self._show(way, endpoint, inner, way.destination if by_route else "")  # type: ignore[union-attr,arg-type]
            return
        for endpoint, count in Counter(endpoints).items():
            verdicts = [
                (self._validate(way, endpoint, known.locations[endpoint], inner), way, inner)
                for way, inner in ways.items()
            ]
            worst = max((v for v, _, _ in verdicts), key=lambda v: v.value)
            self._count(worst, count)
            for verdict, way, inner in verdicts:
                if verdict is worst is Verdict.WRONG:
                    self._show(way, endpoint, inner, way.destination if by_route else "")
                    break

    def _check_way(
        self, way: Way | None, endpoints: Sequence[bytes], known: TunnelEndpoints, inner: IPAddress | None = None
    ) -> list[bytes]:
        """Check the endpoints for packets that take one way; return the first wrong ones.

        Endpoints behind one route are checked together. On the link each is its own next hop, but only those are
        checked one by one that could be the inner packets' next hop too: their gateways, and known neighbours.
        """
        apart = self._apart(way, inner)
        alone = Counter(filter(apart.__contains__, endpoints))
        wrong: list[bytes] = []
        for endpoint, count in alone.items():
            verdict = self._validate(way, endpoint, known.locations[endpoint], inner)
            self._count(verdict, count)
            wrong += [endpoint] if verdict is Verdict.WRONG else []
        together = known.count(endpoints)
        together.subtract(known.count(alone.elements()))
        for where, count in together.items():
            if count:
                shown = known.some(endpoints, where, apart, SHOWN)
                verdict = self._validate(way, shown[0], where, inner)
                self._count(verdict, count)
                wrong += shown if verdict is Verdict.WRONG else []
        return wrong[:SHOWN]

    def _apart(self, way: Way | None, inner: IPAddress | None) -> frozenset[bytes]:
        if way is None or not way.reached or not self.keep:
            return frozenset()
        next_hops = {hop.gateway for hop in way.route.hops} | {inner}
        return self._near.union(*(_forms(a) for a in next_hops if a is not None))

    @cached_property
    def _near(self) -> frozenset[bytes]:
        """Every address in the neighbour table, as rows may have it."""
        return frozenset(raw for _, found in self._neighbours for raw in _forms(found))

    def _say_on_link(self) -> None:
        rules, links = self._on_link
        words = (
            f"{named(list(rules.values()))}: packets to hosts on the link ({listed(list(links))}) go to those hosts' "
        )
        words += "MAC addresses, also when they are encapsulated, and not towards the remote tunnel endpoint"
        fix = "write `next_hop: route` under egress, or a rule before it that lets these destinations pass"
        self.report.note("H126", words, fix)

    def _count(self, verdict: Verdict, count: int) -> None:
        report = self.report
        report.pairs += count
        report.right += count * (verdict is Verdict.RIGHT)
        report.unknown += count * (verdict is Verdict.UNKNOWN)
        report.unreached += count * (verdict is Verdict.UNREACHED)
        report.this_host += count * (verdict is Verdict.OWN)
        self.wrong_count += count * (verdict is Verdict.WRONG)

    def _route(self, where: Location, way: Way | None) -> Route | None:
        version, index = where
        return self.network.tables[version].route(index, way.vrf if way else self.network.attachment.vrfs[0])

    def _validate(self, way: Way | None, raw: bytes, where: Location, inner: IPAddress | None = None) -> Verdict:
        """A tunnel endpoint for packets that take a way. `inner` is their destination, which matters on the link."""
        endpoint, other = address(*family_of(raw)), self._route(where, way)
        if other is not None and other.own:
            self._own[str(endpoint)] = None
            return Verdict.OWN
        if way is None or not way.reached or other is None:
            return Verdict.UNREACHED
        if other.kind is not Kind.UNICAST:
            if self.network.attachment.silent and other.kind is Kind.NONE:
                return Verdict.UNREACHED
            return Verdict.WRONG
        hops = (hop for hop in way.route.hops if hop not in way.missed)
        return max((self._compare(hop, other, endpoint, inner, way.route.kind) for hop in hops), key=lambda v: v.value)

    def _show(self, way: Way, raw: bytes, inner: IPAddress, label: str = "") -> None:
        """Say what is wrong of a tunnel endpoint, for the first few."""
        endpoint = address(*family_of(raw))
        other = self._route((endpoint.version, self.network.tables[endpoint.version].at(int(endpoint))), way)
        if other is None or len(self.wrong) >= SHOWN:
            return
        if other.kind is Kind.UNICAST:
            self.wrong[self._differ(label or str(inner), inner, way.route, endpoint, other)] = None
        else:
            why = "has no route" if other.kind is Kind.NONE else f"has a route of type {other.kind}"
            self.wrong[f"{endpoint} {why}"] = None

    def _compare(self, hop: Hop, other: Route, endpoint: IPAddress, inner: IPAddress | None, kind: Kind) -> Verdict:
        """One way out of the inner packet's route: some way to the tunnel endpoint must be the same."""
        same = [o for o in other.hops if o.ifindex == hop.ifindex]
        if not same:
            return Verdict.WRONG
        if not self.keep:
            return Verdict.RIGHT
        if kind is Kind.MULTICAST:
            return Verdict.WRONG  # the frame has the group's MAC address
        one = hop.gateway or inner
        if one is None:
            return Verdict.WRONG
        found = [self._same(hop.ifindex, one, o.gateway or endpoint) for o in same]
        verdict, missing = min(found, key=lambda f: f[0].value)
        if missing is not None:
            self.unknown.setdefault(missing, hop.ifindex)
        return verdict

    def _same(self, ifindex: int, one: IPAddress, other: IPAddress) -> tuple[Verdict, IPAddress | None]:
        """Whether two next hops are one neighbour; if it cannot be told, the one whose MAC address is missing."""
        if one == other:
            return Verdict.RIGHT, None
        macs = self.mac(ifindex, one), self.mac(ifindex, other)
        if all(macs):
            return (Verdict.RIGHT if macs[0] == macs[1] else Verdict.WRONG), None
        if one.version == other.version:  # other addresses say enough
            return Verdict.WRONG, None
        return Verdict.UNKNOWN, one if macs[1] else other

    @cached_property
    def _neighbours(self) -> Neighbours:
        return neighbours()

    def mac(self, ifindex: int, next_hop: IPAddress) -> bytes:
        """Of a next hop, empty if it is not known."""
        return self._neighbours.get((ifindex, next_hop), b"")

    def _differ(self, label: str, inner: IPAddress, one: Route, endpoint: IPAddress, other: Route) -> str:
        macs = [self._macs(one, inner), self._macs(other, endpoint)]
        first, second = macs if all(macs) and self.keep else ("", "")
        if one.kind is Kind.MULTICAST:
            first, second = " (its frame has the MAC address of the multicast group)", ""
        there = self._hops(other, endpoint)
        return f"{label} goes to {self._hops(one, inner)}{first}, its endpoint {endpoint} to {there}{second}"

    def _hops(self, route: Route, destination: IPAddress) -> str:
        name = self.network.attachment.name
        return " or ".join(f"{h.gateway or destination} on {name(h.ifindex)}" for h in route.hops)

    def _macs(self, route: Route, destination: IPAddress) -> str:
        macs = [self.mac(h.ifindex, h.gateway or destination) for h in route.hops]
        return f" ({' or '.join(m.hex(':') for m in macs)})" if all(macs) else ""

    def _say_unknown(self) -> None:
        names = self.network.attachment.name
        shown = ", ".join(f"{a} on {names(i)}" for a, i in list(self.unknown.items())[:SHOWN])
        more = f" and {len(self.unknown) - SHOWN} more" if len(self.unknown) > SHOWN else ""
        words = (
            f"next hop not compared for {self.report.unknown} of {_endpoints(self.report.pairs)}: inner and outer "
            f"packets differ in family, and no MAC address is known yet for {shown}{more}"
        )
        first, ifindex = next(iter(self.unknown.items()))
        scope = f"%{names(ifindex)}" if first.is_link_local else ""
        fix = f"let this machine reach it once, as by `ping -c 1 {first}{scope}`, and plan again"
        self.report.note("H115", words, fix)


def _forms(found: IPAddress) -> tuple[bytes, ...]:
    """An address as a row has it: IPv4 also mapped."""
    return (found.packed, MAPPED + found.packed) if found.version == 4 else (found.packed,)


def _endpoints(count: int) -> str:
    return f"{count} endpoint{'' if count == 1 else 's'}"


def _of_row(target: Target, endpoints: Sequence[bytes]) -> list[bytes]:
    rows = target.rows
    return (
        [endpoint for name, endpoint in zip(rows.names, endpoints, strict=True) if name == target.row] if rows else []
    )

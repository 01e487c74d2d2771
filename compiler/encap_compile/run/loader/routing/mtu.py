"""Whether packets of full size still fit when they are encapsulated (H111), and the budget that shows it.

The kernel does not know at this hook that a packet becomes too large: what the sender has to go by is the MTU of the
inner packet's route. TCP has its MSS lowered where the program does that. Other senders lose a packet before they are
told, where the program answers (`mtu.too_big: icmp`), and all without DF.

What fits is what the attached device takes, or what the route to a tunnel endpoint says of the path, less the headers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from ....common.manifest import Manifest, RuleSummary, Stack
from ....common.record import Record
from ...kernel.routes import IPNetwork, Kind
from ..compose import sent_by
from .budget import Path, RouteBudget, budget
from .intervals import Interval, prefixes
from .network import Network, Way
from .pairs import Placed
from .reach import VERSIONS, Target, destinations_of
from .report import RouteReport, listed
from .tunnel_endpoints import TunnelEndpoints

LEAST_IPV6_MTU = 1280  # RFC 8200, section 5
_TCP = "6"
_ALL, _NOT_TCP = "larger packets are lost", "larger packets are lost, but for TCP, whose MSS is lowered"
_TOLD = "; their senders are told by ICMP, but not of IPv4 packets without DF"


class _Case(Record):
    """What one warning is about: routes of one MTU over one device, under rules that lose the same."""

    device: str
    device_mtu: int
    path: int  # the most that the routes to the tunnel endpoints allow, if that is less than the device's; else 0
    overhead: int
    route_mtu: int
    lost: str

    @property
    def fits(self) -> int:
        return (self.path or self.device_mtu) - self.overhead

    @property
    def takes(self) -> str:
        """What the device takes and, if that is less, the path."""
        found = f"{self.device} {self.device_mtu}"
        return f"{found}, the routes to the tunnel endpoints {self.path}: {self.path}" if self.path else found


class _Asked(Record):
    """What a rule's packets need of a route: one set of headers over one device to the endpoints of one target."""

    device: str
    device_mtu: int
    overhead: int
    target: int  # its place in `Fits.outer`
    version: int
    lost: str


class _Outer(Record):
    """A route to tunnel endpoints."""

    destination: IPNetwork | None
    mtu: int
    endpoints: int


class Fits:
    """Collects the routes that do not say how much fits."""

    def __init__(self, network: Network, manifest: Manifest, report: RouteReport) -> None:
        self.network, self.manifest, self.report = network, manifest, report
        self.asked: dict[_Asked, dict[Way, dict[Interval, None]]] = {}
        self.outer: list[list[_Outer]] = []
        self.used: dict[str, None] = {}
        self.told = _TOLD if any(c.name == "egress_answered" for c in manifest.counters) else ""

    def uses(self, target: Target, endpoints: TunnelEndpoints | None) -> list[Stack]:
        """The layouts of headers that a target's rows take, for the budget to say so."""
        stacks = self._stacks(target, endpoints)
        self.used.update(dict.fromkeys(s.name for s in stacks))
        return stacks

    def check(self, target: Target, placed: Iterable[Placed], endpoints: TunnelEndpoints | None) -> None:
        """Look at every way that packets of a target's rules take."""
        hit = {p.version: p.hit() for p in placed}
        stacks = self.uses(target, endpoints)
        overhead = max((s.overhead for s in stacks), default=self.manifest.max_overhead)
        self.outer.append(self._outer(endpoints) if endpoints is not None else [])
        for lost in (_ALL, _NOT_TCP, ""):
            rules = [r for r in target.rules if _loses(r) == lost]
            for version in VERSIONS if rules else ():
                self._check_rules(target, rules, version, hit, overhead, lost)

    def finish(self) -> None:
        """One warning for each case; then the budget."""
        cases = self._cases()
        self._refuse_small_ipv6(cases)
        for case, every in cases.items():
            ways = {way: parts for way, parts in every.items() if not _too_small(case, way)}
            if not ways:
                continue
            fits, takes = case.fits, case.takes
            has = f"{'have' if len(ways) > 1 else 'has'} {f'mtu {case.route_mtu}' if case.route_mtu else 'no mtu'}"
            routes = listed([self._route(way, list(parts)) for way, parts in ways.items()])
            lost = case.lost + self.told
            words = f"{takes} - {case.overhead} = {fits}, but {routes} {has}: {lost}"
            way, parts = next(iter(ways.items()))
            command, of_its_own = self._change(way, list(parts), fits)
            fix = (
                f"give it a route of its own: `{command}`"
                if of_its_own
                else f"add `mtu {fits}` to its route: `{command}`"
            )
            self.report.warn("H111", words, fix + (", and so the others" if len(ways) > 1 else ""))

    def _refuse_small_ipv6(self, cases: Mapping[_Case, Mapping[Way, Mapping[Interval, None]]]) -> None:
        """H119: no route can say that less than 1280 bytes of IPv6 fit (RFC 8200), and no host would believe it."""
        small: dict[tuple[str, int], dict[str, None]] = {}
        for case, ways in cases.items():
            six = [way for way in ways if _too_small(case, way)]
            if six:
                least = LEAST_IPV6_MTU + case.overhead
                found = small.setdefault((f"{case.takes} - {case.overhead} = {case.fits}", least), {})
                found.update(dict.fromkeys(self._route(way, list(ways[way])) for way in six))
        for (takes, least), routes in small.items():
            words = f"{takes}: IPv6 requires {LEAST_IPV6_MTU} bytes; larger packets to {listed(list(routes))} are lost"
            ways_out = f"let the device and the path take {least} bytes or more, use headers that add less"
            self.report.refuse("H119", words, f"{ways_out}, or let the rules encapsulate IPv4 alone")

    def _cases(self) -> dict[_Case, dict[Way, dict[Interval, None]]]:
        """The routes that allow too much, by what is the same of them. Writes the budget, of all routes."""
        # The MTU of a route that inner packets take too, as the default route, says what fits with the headers.
        inner = {way.route.prefix for ways in self.asked.values() for way in ways}
        outer = [[replace(o, mtu=0) if o.destination in inner else o for o in routes] for routes in self.outer]
        cases: dict[_Case, dict[Way, dict[Interval, None]]] = {}
        routes: dict[Way, RouteBudget] = {}
        for asked, ways in self.asked.items():
            mtus = [o.mtu for o in outer[asked.target]]
            path = max(mtus) if mtus and all(mtus) else 0
            for way, parts in ways.items():
                mtu, smaller = way.route.mtu, path if path < asked.device_mtu else 0
                case = _Case(asked.device, asked.device_mtu, smaller, asked.overhead, mtu, asked.lost)
                allows = self._allows(way)
                if way not in routes or case.fits < routes[way].fits:
                    seen_by = self._seen_by(way)
                    routes[way] = RouteBudget(
                        way.destination, asked.device, mtu, allows, case.fits, asked.version, seen_by
                    )
                if asked.lost and allows > case.fits:
                    cases.setdefault(case, {}).setdefault(way, {}).update(parts)
        self._write_budget(list(routes.values()), [o for found in outer for o in found if o.mtu])
        return cases

    def _allows(self, way: Way) -> int:
        """Without an MTU of its own a route has that of its device, as of a VLAN over the attached one."""
        devices = self.network.attachment.devices
        return way.route.mtu or max(devices[hop.ifindex].mtu for hop in way.route.hops)

    def _seen_by(self, way: Way) -> tuple[str, ...]:
        attachment = self.network.attachment
        indexes = dict.fromkeys(i for hop in way.route.hops for i in attachment.passed(hop.ifindex))
        return tuple(attachment.name(index) for index in indexes)

    def _write_budget(self, routes: list[RouteBudget], outer: list[_Outer]) -> None:
        attachment = self.network.attachment
        devices = [(device, attachment.lower(device)) for device in attachment.attached.values()]
        paths: Counter[Path] = Counter()
        for found in outer:
            paths[Path(found.mtu, str(found.destination))] += found.endpoints
        self.report.budget = budget(self.manifest, devices, self.used, routes, paths)

    def _check_rules(
        self,
        target: Target,
        rules: list[RuleSummary],
        version: int,
        hit: dict[int, set[int]],
        overhead: int,
        lost: str,
    ) -> None:
        table = self.network.tables[version]
        intervals = target.intervals(version, rules)
        wanted = {i: (low, high) for low, high in intervals for i in table.within(low, high)}
        if target.by_destination and target.rows is not None:
            wanted = {i: within for i, within in wanted.items() if i in hit.get(version, ())}
        self.network.find(version, wanted)
        explicit = any(map(destinations_of, rules))
        for index, (low, high) in wanted.items():
            way = self.network.way(version, index)
            if way is None or not way.reached or (way.route.kind is Kind.MULTICAST and not explicit):
                continue
            first, last = table.bounds(index)
            self._add(way, version, (max(first, low), min(last, high)), overhead, lost)

    def _add(self, way: Way, version: int, part: Interval, overhead: int, lost: str) -> None:
        attachment = self.network.attachment
        over = [attachment.attached[i] for h in way.route.hops for i in attachment.passed(h.ifindex)]
        leaves_by = (d for one in over for d in sent_by(self.manifest, attachment.attached.values(), one))
        device = min(leaves_by, key=lambda d: d.mtu)
        asked = _Asked(device.name, device.mtu, overhead, len(self.outer) - 1, version, lost)
        self.asked.setdefault(asked, {}).setdefault(way, {})[part] = None

    def _outer(self, endpoints: TunnelEndpoints) -> list[_Outer]:
        """The routes to the tunnel endpoints."""
        found = []
        for (version, index), count in Counter(endpoints.locations.values()).items():
            table = self.network.tables[version]
            routes = (table.route(index, vrf) for vrf in self.network.attachment.vrfs)
            route = next((r for r in routes if r is not None and r.hops), None)
            found.append(_Outer(route.prefix, route.mtu, count) if route is not None else _Outer(None, 0, count))
        return found

    def _stacks(self, target: Target, endpoints: TunnelEndpoints | None) -> list[Stack]:
        """The layouts of headers that rows take: by their encapsulation and family."""
        if target.table is None:
            answers = {name for reply in self.manifest.replies for name in reply.stacks}
            return [s for s in self.manifest.stacks if s.name in answers]
        stacks = list(target.table.stacks)
        if endpoints is not None and target.table.family_field:
            families = {f"ipv{v}" for v in endpoints.versions()}
            stacks = [s for s in stacks if s.outer_family in families] or stacks
        if target.rows is not None and any(target.rows.encapsulations):
            taken = set(target.rows.encapsulations)
            stacks = [s for s in stacks if s.encapsulation in taken] or stacks
        return stacks

    def _route(self, way: Way, parts: list[Interval]) -> str:
        """A route, and which part of it is meant if that is only one."""
        part = _narrower(way.route.prefix, parts) if way.route.prefix is not None else None
        return f"{part} (by {way.destination})" if part else way.destination

    def _change(self, way: Way, parts: list[Interval], fits: int) -> tuple[str, bool]:
        """The command that adds the MTU, and whether it makes a route for the part: the rest needs no smaller MTU."""
        whole, name = way.route.prefix, self.network.attachment.name
        part = _narrower(whole, parts) if whole is not None else None
        verb, destination = (
            ("add", str(part)) if part else ("change", "default" if whole and not whole.prefixlen else whole)
        )
        hops = way.route.hops
        ways = [f"{f'via {_via(h.gateway, whole)} ' if h.gateway else ''}dev {name(h.ifindex)}" for h in hops]
        tail = ways[0] if len(ways) == 1 else " ".join(f"nexthop {w}" for w in ways)
        mtu = f"mtu {fits}"
        family = "-6 " if whole is not None and whole.version == 6 else ""
        vrf = f" vrf {name(way.vrf)}" if way.vrf else ""
        middle = f"{tail} {mtu}" if len(ways) == 1 else f"{mtu} {tail}"
        return f"ip {family}route {verb}{vrf} {destination} {middle}", part is not None


def _too_small(case: _Case, way: Way) -> bool:
    """Whether a route of IPv6 leads to where less than its smallest MTU fits."""
    prefix = way.route.prefix
    return case.fits < LEAST_IPV6_MTU and prefix is not None and prefix.version == 6


def _via(gateway: object, whole: IPNetwork | None) -> str:
    six = getattr(gateway, "version", 4) == 6 and whole is not None and whole.version == 4
    return f"inet6 {gateway}" if six else str(gateway)


def _narrower(whole: IPNetwork, parts: list[Interval]) -> IPNetwork | None:
    """The first prefix of what is meant of a route, if that is a single part of it, as a rule or a row names it."""
    found = prefixes(whole.version, parts)
    return found[0] if len(found) == 1 and found[0] != whole else None


def _loses(rule: RuleSummary) -> str:
    """What is lost of a rule's packets where no route holds them back; empty if nothing."""
    if not rule.fits_tcp:
        return _ALL
    return "" if rule.match.get("protocol") == (_TCP,) else _NOT_TCP

"""Whether the packets of a rule reach an attached device, and which do not (H112, H120, H125).

Prefixes are checked as prefixes: each interval of the routing table that lies in one. Addresses of this host, and those
that mean all on a link, are no destinations of a tunnel and are left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_network

from ....common.manifest import RuleSummary
from ...kernel.routes import IPNetwork, Kind
from .intervals import Interval, address, interval, merged, prefixes
from .network import Network, Way
from .pairs import Placed
from .reach import Target, destinations_of, named
from .report import RouteReport, listed


@dataclass
class _Lost:
    """Destinations that go one wrong way, and the rules that mean them."""

    where: str
    rules: dict[str, RuleSummary] = field(default_factory=dict)
    what: dict[str, None] = field(default_factory=dict)

    def add(self, rules: Iterable[RuleSummary], what: str) -> None:
        self.rules.update((rule.name, rule) for rule in rules)
        self.what[what] = None

    @property
    def who(self) -> str:
        return named(list(self.rules.values()))

    @property
    def destinations(self) -> str:
        return listed(list(self.what))


class Reachability:
    """Collects what is lost, so that each cause is one warning however many rules and prefixes it concerns."""

    def __init__(self, network: Network, report: RouteReport) -> None:
        self.network, self.report = network, report
        self.never: dict[object, _Lost] = {}
        self.elsewhere: dict[object, _Lost] = {}
        self.divided: dict[object, _Lost] = {}
        self.own: dict[str, RuleSummary] = {}
        self.own_prefixes: dict[str, None] = {}
        self.told: set[tuple[int, int]] = set()  # intervals that a prefix's warning is about

    def check(self, rules: Iterable[RuleSummary]) -> None:
        """What rules name as destinations, each prefix once."""
        by_prefix: dict[str, list[RuleSummary]] = {}
        for rule in rules:
            for text in destinations_of(rule):
                by_prefix.setdefault(text, []).append(rule)
        networks = {text: ip_network(text) for text in by_prefix}
        for version, table in self.network.tables.items():
            wanted = merged(interval(p) for p in networks.values() if p.version == version)
            self.network.find(version, (i for first, last in wanted for i in table.within(first, last)))
        for text, prefix in networks.items():
            self._check_prefix(prefix, by_prefix[text])

    def _check_prefix(self, prefix: IPNetwork, rules: Sequence[RuleSummary]) -> None:
        table = self.network.tables[prefix.version]
        first, last = interval(prefix)
        lost: dict[Way, list[int]] = {}
        reached: list[Interval] = []
        own = False
        for index in table.within(first, last):
            way = self.network.way(prefix.version, index)
            if way is None or way.own or (way.route.kind is Kind.MULTICAST and prefix.version == 6 and not way.reached):
                own = own or way is not None
            elif not way.reached:
                lost.setdefault(way, []).append(index)
            else:
                low, high = table.bounds(index)
                reached.append((max(low, first), min(high, last)))
                if way.missed:
                    self._add(self.divided, way, way.missed, rules, str(way.route.prefix or prefix), index)
        if not lost:
            if own and not reached:
                self.own.update((r.name, r) for r in rules)
                self.own_prefixes[str(prefix)] = None
            return
        if not reached:
            way, indices = max(lost.items(), key=lambda found: self._size(prefix, found[1]))
            self._add(self.never, way, (way.route.kind, way.route.hops), rules, str(prefix), indices[0])
            self.told.update((prefix.version, i) for those in lost.values() for i in those)
            return
        for way, indices in lost.items():
            if way.route.hops:  # what is not sent at all does not leave unencapsulated
                what = self._part(prefix, way, reached)
                self._add(self.elsewhere, way, way.route.hops, rules, what, indices[0])
                self.told.update((prefix.version, i) for i in indices)

    def _size(self, prefix: IPNetwork, indices: Iterable[int]) -> int:
        first, last = interval(prefix)
        bounds = map(self.network.tables[prefix.version].bounds, indices)
        return sum(min(high, last) - max(low, first) + 1 for low, high in bounds)

    def _part(self, prefix: IPNetwork, way: Way, reached: list[Interval]) -> str:
        """The part of a prefix that takes a way: the route's own destination, or what other routes leave of it."""
        route = way.route.prefix
        if route is not None and route != prefix and interval(prefix)[0] <= interval(route)[0] <= interval(prefix)[1]:
            return str(route)
        rest = prefixes(prefix.version, merged(reached))
        return f"{prefix} (but for {listed([str(p) for p in rest])})"

    def _add(
        self,
        into: dict[object, _Lost],
        way: Way,
        key: object,
        rules: Sequence[RuleSummary],
        what: str,
        index: int,
    ) -> None:
        if key not in into:
            version = ip_network(what.split()[0]).version
            into[key] = _Lost(self.network.via(way.route, self.network.tables[version].sample(index)))
        into[key].add(rules, what)

    def check_rows(self, target: Target, placed: Iterable[Placed]) -> None:
        """Rows for destinations that never reach an attached device, where no rule names these itself."""
        found: dict[object, tuple[str, int]] = {}
        for rows in placed:
            self.network.find(rows.version, rows.hit())
            lost = {index: way for index in rows.hit() if (way := self._lost(rows.version, index)) is not None}
            only = rows.only()
            counts = Counter(only)
            counts.update(several[0] for several in rows.crossing.values() if lost.keys() >= set(several))
            for index, way in lost.items():
                table = self.network.tables[rows.version]
                position = next((i for i, at in enumerate(only) if at == index), None)
                inner = table.sample(index) if position is None else rows.inner(position)
                what = self._part_of_a_row(target, rows, index) if position is None else str(inner)
                where, before = found.get(way.route.hops or way.route.kind, ("", 0))
                where = where or f"{what} {self._leads(way, inner)}"
                found[way.route.hops or way.route.kind] = where, before + counts[index]
        if found and target.rows is not None and target.table is not None:
            count, total = sum(n for _, n in found.values()), target.rows.count
            shown = listed([where for where, _ in found.values()])
            whose = (
                f"{count} of {total} rows of {target.table.name} are"
                if count
                else f"rows of {target.table.name} are also"
            )
            words = f"{named(target.rules)}: {whose} for packets that never reach an attached device: {shown}"
            self.report.warn("H112", words, self._route_it())

    def _lost(self, version: int, index: int) -> Way | None:
        """The way of an interval's packets, if it is a wrong one that no warning is about yet."""
        way = self.network.way(version, index)
        if way is None or way.reached or way.own or (version, index) in self.told:
            return None
        return None if way.route.kind is Kind.NONE and self.network.attachment.silent else way

    def _leads(self, way: Way, inner: object) -> str:
        if way.route.kind is Kind.NONE:
            return "has no route"
        leads = self.network.via(way.route, inner)  # type: ignore[arg-type]
        return leads if way.route.hops else f"has a route that {leads}"

    def _part_of_a_row(self, target: Target, rows: Placed, index: int) -> str:
        """What lies in an interval of the first row that begins in another one."""
        position = next(i for i, several in rows.crossing.items() if index in several)
        low, high = self.network.tables[rows.version].bounds(index)
        first, last = rows.reach(position)
        low, high = max(low, first), min(high, last)
        wanted = ((max(low, a), min(high, b)) for a, b in target.intervals(rows.version) if a <= high and b >= low)
        low, high = next(wanted, (low, high))
        covered = prefixes(rows.version, [(low, high)])
        if len(covered) == 1:
            return str(covered[0])
        return f"{address(rows.version, low)} to {address(rows.version, high)}"

    def finish(self) -> None:
        """Say what was found."""
        silent = self.network.attachment.silent
        for lost in self.never.values():
            if silent:  # the device is named; routes over it may be back when it is
                if lost.where.startswith("leads"):
                    words = f"while {silent}, {lost.destinations} {lost.where}: those packets are not encapsulated"
                    fix = "plan again when it is up: if the route is another one then, all is well"
                    self.report.warn("H120", f"{lost.who}: {words}", fix)
                continue
            several = len(lost.what) > 1
            words = f"{lost.destinations} never reach{'' if several else 'es'} an attached device: "
            words += f"{'their' if several else 'its'} route {lost.where}"
            self.report.warn("H112", f"{lost.who}: {words}", self._route_it())
        for lost in self.elsewhere.values():
            words = f"{lost.who}: {lost.destinations} {lost.where}: those packets are not encapsulated"
            self.report.warn("H112", words, self._route_it())
        for lost in self.divided.values():
            words = f"{lost.who}: {lost.destinations} {lost.where}, and not all of these are attached: "
            words += "packets that take another are not encapsulated"
            self.report.warn("H112", words, "attach to all devices of the route, or take next hops out of it")
        if self.own:
            several = len(self.own_prefixes) > 1
            words = f"{named(list(self.own.values()))}: {listed(list(self.own_prefixes))} "
            words += f"{'are' if several else 'is'} this host: packets there do not leave it"
            self.report.note("H125", words, "nothing to do: on other machines the rule may encapsulate")

    def _route_it(self) -> str:
        names = self.network.attachment.names
        return f"add a route for it over {names}, or attach to the device it leaves by"

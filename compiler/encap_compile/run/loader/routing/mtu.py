"""Whether packets of full size still fit when they are encapsulated (H111).

The kernel does not know at this hook that a packet becomes too large: what the sender has to go by is the MTU of the
inner packet's route. TCP has its MSS lowered where the program does that. Other senders lose a packet before they are
told, where the program answers (`mtu.too_big: icmp`), and all without DF.
"""

from __future__ import annotations

from collections.abc import Iterable

from ....common.manifest import Manifest, RuleSummary
from ....common.record import Record
from ...kernel.routes import IPNetwork, Kind
from .intervals import Interval, prefixes
from .network import Network, Way
from .pairs import Placed
from .reach import VERSIONS, Target, destinations_of
from .report import RouteReport, listed
from .tunnel_endpoints import TunnelEndpoints

_TCP = "6"
_ALL, _NOT_TCP = "larger packets are lost", "larger packets are lost, but for TCP, whose MSS is lowered"
_TOLD = "; their senders are told by ICMP, but not of IPv4 packets without DF"


class _Case(Record):
    """What one warning is about: routes of one MTU over one device, under rules that lose the same."""

    device: str
    device_mtu: int
    overhead: int
    route_mtu: int
    lost: str


class Fits:
    """Collects the routes that do not say how much fits."""

    def __init__(self, network: Network, manifest: Manifest, report: RouteReport) -> None:
        self.network, self.manifest, self.report = network, manifest, report
        self.cases: dict[_Case, dict[Way, dict[Interval, None]]] = {}
        self.told = _TOLD if any(c.name == "egress_answered" for c in manifest.counters) else ""

    def check(self, target: Target, placed: Iterable[Placed], endpoints: TunnelEndpoints | None) -> None:
        """Look at every way that packets of a target's rules take."""
        hit = {p.version: p.hit() for p in placed}
        overhead = self._overhead(target, endpoints)
        for lost in (_ALL, _NOT_TCP):
            rules = [r for r in target.rules if _loses(r) == lost]
            for version in VERSIONS if rules else ():
                self._check_rules(target, rules, version, hit, overhead, lost)

    def finish(self) -> None:
        """One warning for each case."""
        for case, ways in self.cases.items():
            fits = case.device_mtu - case.overhead
            has = f"{'have' if len(ways) > 1 else 'has'} {f'mtu {case.route_mtu}' if case.route_mtu else 'no mtu'}"
            routes = listed([self._route(way, list(parts)) for way, parts in ways.items()])
            lost = case.lost + self.told
            words = f"{case.device} {case.device_mtu} - {case.overhead} = {fits}, but {routes} {has}: {lost}"
            way, parts = next(iter(ways.items()))
            command, of_its_own = self._change(way, list(parts), fits)
            fix = (
                f"give it a route of its own: `{command}`"
                if of_its_own
                else f"add `mtu {fits}` to its route: `{command}`"
            )
            self.report.warn("H111", words, fix + (", and so the others" if len(ways) > 1 else ""))

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
            self._add(way, (max(first, low), min(last, high)), overhead, lost)

    def _add(self, way: Way, part: Interval, overhead: int, lost: str) -> None:
        attachment = self.network.attachment
        over = [attachment.attached[i] for h in way.route.hops for i in attachment.passed(h.ifindex)]
        device = min(over, key=lambda d: d.mtu)
        if 0 < way.route.mtu <= device.mtu - overhead:
            return
        case = _Case(device.name, device.mtu, overhead, way.route.mtu, lost)
        self.cases.setdefault(case, {}).setdefault(way, {})[part] = None

    def _overhead(self, target: Target, endpoints: TunnelEndpoints | None) -> int:
        """The most bytes that are added, in any of the stacks that rows take: by their encapsulation and family."""
        if target.table is None:
            answers = {name for reply in self.manifest.replies for name in reply.stacks}
            return max(
                (s.overhead for s in self.manifest.stacks if s.name in answers), default=self.manifest.max_overhead
            )
        stacks = list(target.table.stacks)
        if endpoints is not None and target.table.family_field:
            families = {f"ipv{v}" for v in endpoints.versions()}
            stacks = [s for s in stacks if s.outer_family in families] or stacks
        if target.rows is not None and any(target.rows.encapsulations):
            taken = set(target.rows.encapsulations)
            stacks = [s for s in stacks if s.encapsulation in taken] or stacks
        return max((s.overhead for s in stacks), default=self.manifest.max_overhead)

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

"""What `plan` proves about routes: the packet's own route must bring it to the hook and to the right neighbour.

A TC program at egress sees a packet after the kernel has chosen its device and neighbour for the *inner* destination.
With `next_hop: keep` the outer packet goes to that neighbour, so it must be the one on the way to the endpoint. The
frame carries its MAC address alone: next hops of both families, or two addresses of one router, may be one neighbour.
With `route` it goes to the endpoint's own neighbour on that device, so the devices must be the same.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

from ..diagnostics import Diagnostic, Severity
from ..kernel.devices import devices
from ..kernel.routes import IPAddress, IPNetwork, Route, lookup, prefixes
from ..manifest import Layout, Member, RuleSummary, Table
from .contents import MAPPED
from .desired import Desired
from .neighbours import Neighbours, neighbours

if TYPE_CHECKING:
    from ..rows import EncodedRows

LIMIT = 10_000  # pairs of destinations looked up, of a table with more rows: a proof is bounded, and plan says so
MOST_PARTS = 1000  # more specific routes looked at within one prefix
SHOWN = 5
Pair = tuple[IPAddress, IPAddress]  # inner, outer destination


@dataclass
class RouteReport:
    """`pairs` of inner prefix and endpoint were looked at, of `total` rows; the diagnostics are warnings.

    Of the pairs, `right` share their next hop; `unreached` ones have an inner prefix that never reaches the hook; of
    `unknown` ones the neighbours are not known yet.
    """

    diagnostics: list[Diagnostic] = field(default_factory=list)
    right: int = 0
    unreached: int = 0
    unknown: int = 0
    pairs: int = 0
    total: int = 0


def check_routes(desired: Desired) -> RouteReport:
    """Look the routes up. Raises KernelError."""
    return _Checker(desired).check()


class _Checker:
    """Looks every address up once, however many rules and rows name it."""

    def __init__(self, desired: Desired) -> None:
        self.desired, self.manifest = desired, desired.manifest
        self.rules = [r for r in self.manifest.rules if r.direction == "egress" and r.table]
        self.attached = {d.index: d for d in desired.machine.attached}
        self.names = {d.index: d.name for d in devices().values()}
        self.routed = {4: prefixes(socket.AF_INET), 6: prefixes(socket.AF_INET6)}
        self.routes: dict[IPAddress, Route | None] = {}
        self.report = RouteReport()

    def check(self) -> RouteReport:
        by_prefix: dict[str, list[RuleSummary]] = {}
        for rule in self.rules:
            for text in rule.destinations:
                by_prefix.setdefault(text, []).append(rule)
        for text, rules in by_prefix.items():
            parts = self.parts(ip_network(text))
            self.find(_host_in(p) for p in parts)
            self.check_reached(text, parts, rules)
            self.check_mtu(parts, rules)
        self.check_next_hops()
        return self.report

    def parts(self, prefix: IPNetwork) -> list[IPNetwork]:
        """The prefix and every more specific one within it that has a route of its own."""
        inside = [p for p in self.routed[prefix.version] if p != prefix and p.subnet_of(prefix)]  # type: ignore[arg-type]
        return [prefix, *dict.fromkeys(inside[:MOST_PARTS])]

    def find(self, addresses: Iterable[IPAddress]) -> None:
        missing = [a for a in dict.fromkeys(addresses) if a not in self.routes]
        self.routes.update(zip(missing, lookup(missing), strict=True))

    def reaches(self, address: IPAddress) -> bool:
        route = self.routes[address]
        return route is not None and route.ifindex in self.attached

    def warn(self, code: str, words: str, fix: str) -> None:
        self.report.diagnostics.append(Diagnostic(code, words, help=fix, severity=Severity.WARNING))

    def check_reached(self, text: str, parts: list[IPNetwork], rules: list[RuleSummary]) -> None:
        who = f"rule{'s' if len(rules) > 1 else ''} {', '.join(r.name for r in rules)}"
        whole, *inside = parts
        lost = [p for p in inside if not self.reaches(_host_in(p))]
        names = ", ".join(d.name for d in self.attached.values())
        if not self.reaches(_host_in(whole)):
            route = self.routes[_host_in(whole)]
            where = f"leads to {self.via(route)}" if route else "is missing"
            reached = [str(p) for p in inside if p not in lost]
            only = f"but for {', '.join(reached[:SHOWN])}, {text}" if reached else text
            words = f"{who}: {only} never reaches an attached device: its route {where}"
            self.warn("H112", words, f"add a route for it over {names}, or attach to the device it leaves by")
        elif lost:
            shown = ", ".join(str(p) for p in lost[:SHOWN])
            words = f"{who}: of {text}, routes for {len(lost)} parts lead elsewhere: {shown}"
            self.warn("H112", words, "those packets are not encapsulated")

    def check_mtu(self, parts: list[IPNetwork], rules: list[RuleSummary]) -> None:
        if any("mss" in feature for feature in self.manifest.features):
            return  # the program clamps
        stacks = [s for t in self.manifest.tables if t.name in {r.table for r in rules} for s in t.stacks]
        overhead = max((s.overhead for s in stacks), default=self.manifest.max_overhead)
        for part in parts:
            route = self.routes[_host_in(part)]
            device = self.attached.get(route.ifindex) if route else None
            if route is None or device is None:
                continue
            fits = device.mtu - overhead
            if route.mtu == 0 or route.mtu > fits:
                has = "has no mtu" if route.mtu == 0 else f"has mtu {route.mtu}"
                words = f"{device.name} {device.mtu} - {overhead} = {fits}, but {part} {has}: larger packets are lost"
                self.warn("H111", words, f"add `mtu {fits}` to its route")

    def check_next_hops(self) -> None:
        report = self.report
        pairs: dict[Pair, None] = {}
        for rule in self.rules:
            for pair in self.pairs(rule):
                if len(pairs) == LIMIT:
                    break
                pairs[pair] = None
        rows = self.desired.wanted.rows
        bounded = len(pairs) == LIMIT
        report.pairs = len(pairs)
        report.total = sum(rows[n].count for n in {r.table for r in self.rules} if n in rows) if bounded else len(pairs)
        self.find(a for pair in pairs for a in pair)
        wrong: list[str] = []
        unknown: dict[IPAddress, int] = {}
        keep = self.manifest.next_hop == "keep"  # else the program finds the endpoint's neighbour, on the same device
        for inner, outer in pairs:
            one, other = self.routes[inner], self.routes[outer]
            if other is None or not other.unicast:
                wrong.append(f"{outer} has no route")
            elif one is None or not self.reaches(inner):
                report.unreached += 1
            elif one.ifindex != other.ifindex:
                wrong.append(f"{inner} goes to {self.via(one)}, its endpoint {outer} to {self.via(other)}")
            elif not keep or self.same_neighbour(one, other):
                report.right += 1
            elif missing := self.unseen(one, other):
                unknown[missing] = one.ifindex
                report.unknown += 1
            else:
                wrong.append(self.other_neighbour(inner, one, outer, other))
        if unknown:
            self.say_unknown(unknown)
        if wrong:
            shown = "; ".join(wrong[:SHOWN]) + (f"; and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else "")
            what = "next hop" if keep else "device"
            words = f"{what} differs for {len(wrong)} of {_endpoints(report.pairs)}: {shown}"
            fix = "route the inner prefix over the endpoint's next hop, or write `next_hop: route` under egress"
            if not keep:
                fix = "route the inner prefix over the endpoint's device: the packet leaves by the device it came to"
            self.warn("H113", words, fix)

    @cached_property
    def neighbours(self) -> Neighbours:
        return neighbours()

    def mac(self, route: Route) -> bytes:
        """Of the next hop, empty if it is not known."""
        return self.neighbours.get((route.ifindex, route.next_hop), b"")

    def same_neighbour(self, one: Route, other: Route) -> bool:
        if one.next_hop == other.next_hop:
            return True
        return bool(self.mac(one)) and self.mac(one) == self.mac(other)

    def unseen(self, one: Route, other: Route) -> IPAddress | None:
        """The next hop whose MAC address is missing for the answer: of one family, other addresses say enough."""
        if one.next_hop.version == other.next_hop.version:
            return None
        return next((r.next_hop for r in (other, one) if not self.mac(r)), None)

    def say_unknown(self, unknown: dict[IPAddress, int]) -> None:
        shown = ", ".join(f"{a} on {self.names.get(i, f'device {i}')}" for a, i in list(unknown.items())[:SHOWN])
        more = f" and {len(unknown) - SHOWN} more" if len(unknown) > SHOWN else ""
        count = self.report.unknown
        words = (
            f"next hop not compared for {count} of {_endpoints(self.report.pairs)}: inner and outer packets differ in "
            f"family, and no MAC address is known yet for {shown}{more}"
        )
        first, ifindex = next(iter(unknown.items()))
        scope = f"%{self.names.get(ifindex, ifindex)}" if first.is_link_local else ""
        fix = f"let this machine reach it once, as by `ping -c 1 {first}{scope}`, and plan again"
        self.report.diagnostics.append(Diagnostic("H115", words, help=fix, severity=Severity.NOTE))

    def via(self, route: Route) -> str:
        return f"{route.next_hop} on {self.names.get(route.ifindex, f'device {route.ifindex}')}"

    def other_neighbour(self, inner: IPAddress, one: Route, outer: IPAddress, other: Route) -> str:
        macs = [self.mac(r) for r in (one, other)]
        first, second = [f" ({m.hex(':')})" for m in macs] if all(macs) else ("", "")
        return f"{inner} goes to {self.via(one)}{first}, its endpoint {outer} to {self.via(other)}{second}"

    def pairs(self, rule: RuleSummary) -> Iterator[Pair]:
        """An address of each inner prefix with the endpoint that its row names."""
        table = next((t for t in self.manifest.tables if t.name == rule.table), None)
        rows = self.desired.wanted.rows.get(rule.table)
        outer = _outer_member(table) if table else None
        if table is None or rows is None or outer is None:
            return
        within = [ip_network(d) for d in rule.destinations]
        destination = next((m for m in table.key.members if m.name == "destination"), None)
        inner = [_host_in(part) for prefix in within for part in self.parts(prefix)]
        for i, key, value in _entries(table, rows):
            if rule.row and rows.names[i] != rule.row:
                continue
            end = _address(value[outer.offset : outer.offset + outer.size])
            if destination is None:
                for address in inner:
                    yield address, end
                continue
            prefix = _key_prefix(table.key, destination, key)
            if not within or any(prefix.version == w.version and prefix.overlaps(w) for w in within):
                yield _host_in(prefix), end


def _endpoints(count: int) -> str:
    return f"{count} endpoint{'' if count == 1 else 's'}"


def _host_in(prefix: IPNetwork) -> IPAddress:
    # The network address itself is a broadcast or anycast address in most prefixes.
    return prefix.network_address if prefix.num_addresses == 1 else prefix.network_address + 1


def _entries(table: Table, rows: EncodedRows) -> Iterator[tuple[int, bytes, bytes]]:
    k, v = table.key.size, table.value.size
    for i in range(rows.count):
        yield i, rows.keys[i * k : (i + 1) * k], rows.values[i * v : (i + 1) * v]


def _outer_member(table: Table) -> Member | None:
    """The member of the row that is the outer destination; None if it cannot be told."""
    members = [m for m in table.value.members if m.type in ("ip", "ipv4", "ipv6")]
    named = [m for m in members if m.name == table.family_field]
    return named[0] if named else members[0] if len(members) == 1 else None


def _address(raw: bytes) -> IPv4Address | IPv6Address:
    return ip_address(raw[12:] if raw.startswith(MAPPED) else raw)


def _key_prefix(layout: Layout, member: Member, key: bytes) -> IPNetwork:
    raw = key[member.offset : member.offset + member.size]
    bits = len(raw) * 8
    length = next((m for m in layout.members if m.type == "prefixlen"), None)
    if length is not None:
        significant = int.from_bytes(key[length.offset : length.offset + 4], sys.byteorder)
        bits = significant - (member.offset - length.offset - 4) * 8
    if raw.startswith(MAPPED) and bits >= 96:
        raw, bits = raw[12:], bits - 96
    return ip_network((raw, max(bits, 0)), strict=False)

"""What `plan` proves about routes: the packet's own route must bring it to the hook and to the right neighbour.

A TC program at egress sees a packet after the kernel has chosen its device and neighbour for the *inner* destination.
With `next_hop: keep` the outer packet goes to that neighbour, so the two must be the same.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

from ..diagnostics import Diagnostic, Severity
from ..kernel.routes import IPAddress, IPNetwork, Route, lookup, prefixes
from ..manifest import Layout, Member, RuleSummary, Table
from .contents import MAPPED
from .desired import Desired

if TYPE_CHECKING:
    from ..rows import EncodedRows

LIMIT = 10_000  # pairs of destinations looked up, of a table with more rows: a proof is bounded, and plan says so
SHOWN = 5
Pair = tuple[IPAddress, IPAddress]  # inner, outer destination


@dataclass
class RouteReport:
    """`pairs` of inner prefix and endpoint were looked at, of `total` rows; the diagnostics are warnings."""

    diagnostics: list[Diagnostic]
    right: int = 0
    pairs: int = 0
    total: int = 0


def check_routes(desired: Desired) -> RouteReport:
    """Look the routes up. Raises KernelError."""
    report = RouteReport([])
    rules = [r for r in desired.manifest.rules if r.direction == "egress" and r.table]
    routes: dict[IPAddress, Route | None] = {}
    known: dict[int, list[IPNetwork]] = {int(f): prefixes(f) for f in (socket.AF_INET, socket.AF_INET6)}
    for rule in rules:
        _check_destinations(desired, rule, known, routes, report)
    if desired.manifest.next_hop == "keep":
        _check_next_hops(desired, rules, known, routes, report)
    return report


def _find(routes: dict[IPAddress, Route | None], wanted: list[IPAddress]) -> None:
    missing = [a for a in dict.fromkeys(wanted) if a not in routes]
    routes.update(zip(missing, lookup(missing), strict=True))


def _representatives(prefix: IPNetwork, known: dict[int, list[IPNetwork]]) -> list[IPAddress]:
    """An address of a prefix for each route that may serve a part of it."""
    family = socket.AF_INET if prefix.version == 4 else socket.AF_INET6
    inside = [p for p in known[family] if p != prefix and p.version == prefix.version and p.subnet_of(prefix)]  # type: ignore[arg-type]
    return [_host_in(p) for p in (prefix, *inside[:1000])]


def _host_in(prefix: IPNetwork) -> IPAddress:
    # The network address itself is a broadcast or anycast address in most prefixes.
    return prefix.network_address if prefix.num_addresses == 1 else prefix.network_address + 1


def _check_destinations(
    desired: Desired,
    rule: RuleSummary,
    known: dict[int, list[IPNetwork]],
    routes: dict[IPAddress, Route | None],
    report: RouteReport,
) -> None:
    attached = {d.index: d for d in desired.machine.attached}
    table = next((t for t in desired.manifest.tables if t.name == rule.table), None)
    overhead = max((s.overhead for s in table.stacks), default=0) if table else desired.manifest.max_overhead
    clamped = any("mss" in feature for feature in desired.manifest.features)
    for text in rule.destinations:
        prefix = ip_network(text)
        wanted = _representatives(prefix, known)
        _find(routes, wanted)
        lost = [a for a in wanted if (r := routes[a]) is None or r.ifindex not in attached]
        if lost and lost[0] == wanted[0]:
            found = routes[lost[0]]
            where = f"leads to another device (number {found.ifindex})" if found else "is missing"
            words = f"rule {rule.name}: {text} never reaches an attached device: its route {where}"
            names = ", ".join(d.name for d in attached.values())
            report.diagnostics.append(
                _warning("H112", words, f"add a route for it over {names}, or attach to the other")
            )
        elif lost:
            words = f"rule {rule.name}: of {text}, routes for {len(lost)} parts lead elsewhere ({lost[0]})"
            report.diagnostics.append(_warning("H112", words, "those packets are not encapsulated"))
        warned = False
        for address in wanted:
            route = routes[address]
            if clamped or warned or route is None or route.ifindex not in attached:
                continue
            device = attached[route.ifindex]
            fits = device.mtu - overhead
            if route.mtu == 0 or route.mtu > fits:
                has = "has no mtu" if route.mtu == 0 else f"has mtu {route.mtu}"
                words = f"{device.name} {device.mtu} - {overhead} = {fits}, but {text} {has}: larger packets are lost"
                report.diagnostics.append(_warning("H111", words, f"add `mtu {fits}` to its route"))
                warned = True


def _check_next_hops(
    desired: Desired,
    rules: list[RuleSummary],
    known: dict[int, list[IPNetwork]],
    routes: dict[IPAddress, Route | None],
    report: RouteReport,
) -> None:
    names = {d.index: d.name for d in desired.machine.attached}
    pairs: dict[Pair, None] = {}
    for rule in rules:
        for pair in _pairs(desired, rule, known):
            if len(pairs) == LIMIT:
                break
            pairs[pair] = None
    rows = desired.wanted.rows
    report.total = len(pairs) if len(pairs) < LIMIT else sum(rows[r.table].count for r in rules if r.table in rows)
    _find(routes, [a for pair in pairs for a in pair])
    wrong = []
    for inner, outer in pairs:
        one, other = routes[inner], routes[outer]
        if other is None or not other.unicast:
            wrong.append(f"{outer} has no route")
        elif one is None or one.ifindex not in names:
            continue  # it never reaches the hook: reported above where a rule names the prefix
        elif (one.ifindex, one.next_hop) != (other.ifindex, other.next_hop):
            wrong.append(f"{inner} goes to {_via(one, names)}, its endpoint {outer} to {_via(other, names)}")
        else:
            report.right += 1
    report.pairs = len(pairs)
    if wrong:
        shown = "; ".join(wrong[:SHOWN]) + (f"; and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else "")
        words = f"next hop differs for {len(wrong)} of {report.pairs} endpoints: {shown}"
        fix = "route the inner prefix over the endpoint's next hop, or write `next_hop: route` under egress"
        report.diagnostics.append(_warning("H113", words, fix))


def _via(route: Route, names: dict[int, str]) -> str:
    return f"{route.next_hop} on {names.get(route.ifindex, f'device {route.ifindex}')}"


def _pairs(desired: Desired, rule: RuleSummary, known: dict[int, list[IPNetwork]]) -> Iterator[Pair]:
    table = next((t for t in desired.manifest.tables if t.name == rule.table), None)
    rows = desired.wanted.rows.get(rule.table)
    outer = _outer_member(table) if table else None
    if table is None or rows is None or outer is None:
        return
    within = [ip_network(d) for d in rule.destinations]
    destination = next((m for m in table.key.members if m.name == "destination"), None)
    inner = [a for prefix in within for a in _representatives(prefix, known)]
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


def _warning(code: str, words: str, fix: str) -> Diagnostic:
    return Diagnostic(code, words, help=fix, severity=Severity.WARNING)

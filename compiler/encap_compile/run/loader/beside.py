"""The bundles beside one: what each runs, as far as their rules are compared."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from ...common.diagnostics import Diagnostic, Severity
from ...common.manifest import Layout, Manifest, Member, RuleSummary, Table
from ...common.record import Record
from ..kernel.hooks.base import Point
from ..kernel.pins import open_map
from .boxes import Box, Ranges, box_of, prefixes
from .compose import Instance
from .contents import MAPPED
from .desired import Desired
from .inventory import bundles_here
from .observe import Observed, observe
from .state import from_another_namespace
from .state_files import Unreadable

MOST_ROWS = 20_000  # rows that are looked at; of a larger table, what its rule matches counts as a whole
CAPTURES = ("encapsulate", "drop")
ASKS = ("encapsulate", "drop", "socket", "reflect")

Rows = Iterable[tuple[bytes, bytes]]  # key and value


class Rule(Record):
    """An egress or connect rule with its box; `place` is a part of the spec.

    `exact` says that the box is all that it matches. The first release told no more than destinations: then `text` is
    what can be compared.
    """

    name: str
    action: str
    place: str
    box: Box
    exact: bool = True
    text: str = ""


@dataclass
class Beside:
    """A bundle that runs, or is to run. `own` are the outer addresses of its instances, by device."""

    name: str
    manifest: Manifest
    cgroup: str
    devices: dict[int, str]
    own: dict[int, frozenset[str]]
    rows: dict[str, list[tuple[bytes, bytes]] | None] = field(default_factory=dict)  # None: too many, or not known
    programs: frozenset[int] = frozenset()  # ids

    @cached_property
    def egress(self) -> list[Rule]:
        """In the order that packets meet them, the default last."""
        return [r for rule in self.manifest.rules if rule.direction == "egress" for r in self._rule(rule)]

    @cached_property
    def connect(self) -> list[Rule]:
        return [r for rule in self.manifest.rules if rule.direction == "connect" for r in self._rule(rule)]

    @cached_property
    def endpoints(self) -> Ranges | None:
        """The outer destinations of all rows; None if they are not known."""
        found: list[IPv4Address | IPv6Address] = []
        for table in self.manifest.tables:
            member, rows = _outer_member(table), self.rows.get(table.name)
            if member is None or rows is None:
                return None
            found += {_address(value[member.offset : member.offset + member.size]) for _, value in rows}
        return prefixes(ip_network(a) for a in found)

    def _rule(self, rule: RuleSummary) -> list[Rule]:
        box = box_of(rule, self.cgroup)
        if not rule.action:
            told = bool(rule.table) or rule.name == "default"
            action = "encapsulate" if rule.table else rule.text
            return [Rule(rule.name, action, rule.place, box, rule.name == "default", rule.text)] if told else []
        if rule.action == "encapsulate" and rule.on_miss != "drop":
            keys = self._destinations(rule.table)
            narrowed = box.narrowed(keys) if keys is not None else box
            return [Rule(rule.name, rule.action, rule.place, narrowed, text=rule.text)] if narrowed is not None else []
        return [Rule(rule.name, rule.action, rule.place, box, text=rule.text)]

    def _destinations(self, name: str) -> Ranges | None:
        """The destinations that have a row; None if they are not known."""
        table = next((t for t in self.manifest.tables if t.name == name), None)
        member = next((m for m in table.key.members if m.name == "destination"), None) if table else None
        rows = self.rows.get(name)
        if table is None or member is None or rows is None:
            return None
        return prefixes(_key_prefix(table.key, member, key) for key, _ in rows)


def planned(desired: Desired, observed: Observed) -> Beside:
    """The bundle that is planned."""
    manifest = desired.manifest
    rows = {
        name: list(zip(_pieces(r.keys, r.key_size), _pieces(r.values, r.value_size), strict=True))
        if r.count <= MOST_ROWS
        else None
        for name, r in desired.wanted.rows.items()
    }
    own = {i.target.number: _own(manifest, i.host) for i in desired.instances if _on_device(i)}
    cgroup = desired.cgroups.attached.path if desired.cgroups else ""
    devices = {d.index: d.name for d in desired.machine.attached}
    programs = frozenset(r.program_id for r in observed.running)
    return Beside(manifest.name, manifest, cgroup, devices, own, dict(rows), programs)


def running(desired: Desired) -> list[Beside]:
    """The other bundles that run in this network namespace. Raises KernelError."""
    found = []
    for name in bundles_here(desired.paths):
        if name in (desired.paths.bundle, desired.paths.former):
            continue
        paths = desired.paths.named(name)
        observed = observe(paths)
        state = observed.state
        if observed.unreadable is not None and observed.running:
            desired.findings.extend([_not_compared(name, observed.unreadable)])
        if state is None or state.manifest is None or from_another_namespace(state) or not observed.running:
            continue
        names = {number: device for device, number in state.devices.items()}
        on = {r.hook.target: r for r in observed.running if r.hook.point in (Point.EGRESS, Point.INGRESS)}
        devices = {number: names.get(number, f"device {number}") for number in on}
        own = {number: _own(state.manifest, r.host) for number, r in on.items()}
        programs = frozenset(r.program_id for r in observed.running)
        rows = {t.name: _rows(observed, t) for t in state.manifest.tables}
        found.append(Beside(name, state.manifest, state.cgroup, devices, own, rows, programs))
    return found


def _not_compared(name: str, unread: Unreadable) -> Diagnostic:
    """H152 or H153 of another bundle, which is no reason to stop."""
    fix = f"whether {name} takes the same packets is not known: apply that bundle, which writes its state again"
    return unread.diagnostic(name)._replace(severity=Severity.WARNING, help=fix)


def _on_device(instance: Instance) -> bool:
    return bool(instance.target.points & {Point.EGRESS, Point.INGRESS})


def _rows(observed: Observed, table: Table) -> list[tuple[bytes, bytes]] | None:
    used = {number for r in observed.running for number in r.map_ids}
    pinned = next((p for p in observed.pins if p.map == table.map and p.id in used), None)
    if pinned is None:
        return None
    with open_map(pinned.path) as rows:
        entries = rows.entries() if table.capacity <= MOST_ROWS else None
    return list(entries.items(table.key.size, table.value.size)) if entries is not None else None


def _own(manifest: Manifest, host: bytes) -> frozenset[str]:
    if len(host) != manifest.host_layout.size:
        return frozenset()
    raw = (host[m.member.offset : m.member.offset + m.member.size] for m in manifest.host_members if m.own)
    return frozenset(str(_address(r)) for r in raw if any(r))


def _pieces(data: bytes, size: int) -> Sequence[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)] if size else []


def _outer_member(table: Table) -> Member | None:
    members = [m for m in table.value.members if m.type in ("ip", "ipv4", "ipv6")]
    named = [m for m in members if m.name == table.family_field]
    return named[0] if named else members[0] if len(members) == 1 else None


def _address(raw: bytes) -> IPv4Address | IPv6Address:
    return ip_address(raw[12:] if len(raw) == 16 and raw.startswith(MAPPED) else raw)


def _key_prefix(layout: Layout, member: Member, key: bytes) -> str:
    raw = key[member.offset : member.offset + member.size]
    bits = len(raw) * 8
    length = next((m for m in layout.members if m.type == "prefixlen"), None)
    if length is not None:
        significant = int.from_bytes(key[length.offset : length.offset + 4], sys.byteorder)
        bits = max(min(bits, significant - (member.offset - length.offset - 4) * 8), 0)
    if len(raw) == 16 and raw.startswith(MAPPED) and bits >= 96:
        raw, bits = raw[12:], bits - 96
    return str(ip_network((raw, bits), strict=False))

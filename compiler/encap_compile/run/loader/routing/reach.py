"""What the rules reach: which destinations they encapsulate, and to which tunnel endpoints their rows lead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_network
from typing import TYPE_CHECKING

from ....common.manifest import Manifest, Member, RuleSummary, Table
from ....common.record import Record
from ....common.values import MAPPED
from .intervals import Interval, everything, interval, merged
from .report import listed

if TYPE_CHECKING:
    from ....common.rows import EncodedRows
    from ...kernel.routes import IPNetwork

VERSIONS = (4, 6)


class Target(Record):
    """The rules that take rows of one table, or one row of it, or that reflect: then `table` is None.

    `rows` is None where they are compiled in, or where there are none.
    """

    rules: tuple[RuleSummary, ...]
    table: Table | None
    rows: EncodedRows | None
    row: str

    def intervals(self, version: int, rules: Iterable[RuleSummary] | None = None) -> list[Interval]:
        """The destinations of a family that the rules match, or those of some of them."""
        chosen = self.rules if rules is None else rules
        return merged(interval(p) for p in dict.fromkeys(p for r in chosen for p in prefixes_of(r, version)))

    @property
    def by_destination(self) -> bool:
        """Whether a row is found by the packet's destination."""
        return self.table is not None and not self.row and any(c.name == "destination" for c in self.table.columns)

    def endpoints(self) -> Sequence[bytes] | None:
        """The outer destination of every row: 4 or 16 bytes, IPv4 mapped where both occur. None if no row says it."""
        member = outer_member(self.table) if self.table is not None else None
        if self.rows is None or member is None:
            return None
        column: Sequence[bytes] = self.rows.typed.fields.get(_written(member, self.rows), ())  # type: ignore[assignment]
        return column if len(column) == self.rows.count else None


def targets(manifest: Manifest, rows: Mapping[str, EncodedRows]) -> list[Target]:
    """Every table with the rules that lead to it; last, the rules that reflect."""
    tables = {t.name: t for t in manifest.tables}
    by_table: dict[tuple[str, str], list[RuleSummary]] = {}
    reflecting = []
    for rule in manifest.rules:
        if rule.direction != "egress":
            continue
        for name in (rule.table, *rule.more_tables) if rule.table else ():
            by_table.setdefault((name, rule.row), []).append(rule)
        if rule.action == "reflect":
            reflecting.append(rule)
    found = [
        Target(tuple(rules), tables.get(name), rows.get(name) if name in tables else None, row)
        for (name, row), rules in by_table.items()
    ]
    return [*found, Target(tuple(reflecting), None, None, "")] if reflecting else found


def destinations_of(rule: RuleSummary) -> tuple[str, ...]:
    """The prefixes that a rule names; none if it matches any destination."""
    return rule.destinations or rule.match.get("destination", ())


def _is_of(prefix: str, version: int) -> bool:
    return (":" in prefix) == (version == 6)


def prefixes_of(rule: RuleSummary, version: int) -> list[IPNetwork]:
    """The destinations of a family that a rule matches: all, if it says none and sees that family."""
    sources = rule.match.get("source", ())
    if sources and not any(_is_of(text, version) for text in sources):
        return []
    written = destinations_of(rule)
    if written:
        return [ip_network(text) for text in written if _is_of(text, version)]
    return [everything(version)]


def named(rules: Sequence[RuleSummary]) -> str:
    """Rules in words."""
    return f"rule{'s' if len(rules) > 1 else ''} {listed([r.name for r in rules])}"


def outer_member(table: Table) -> Member | None:
    """The member of the row that is the outer destination; None if it cannot be told."""
    members = [m for m in table.value.members if m.type in ("ip", "ipv4", "ipv6")]
    named = [m for m in members if m.name == table.family_field]
    return named[0] if named else members[0] if len(members) == 1 else None


def family_of(raw: bytes) -> tuple[int, int]:
    """An address as (version, number)."""
    if len(raw) == 4:
        return 4, int.from_bytes(raw, "big")
    if raw.startswith(MAPPED):
        return 4, int.from_bytes(raw[12:], "big")
    return 6, int.from_bytes(raw, "big")


def _written(member: Member, rows: EncodedRows) -> str:
    """The field's name as in the spec: in C it has `_` for `-`."""
    return next((f for f in rows.typed.fields if f.replace("-", "_").replace(".", "_") == member.name), member.name)

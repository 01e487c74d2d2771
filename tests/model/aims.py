"""What rules ask of packets, as something to aim at: their conditions, and a row of their table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Network
from random import Random

from encap_compile.compile import ir
from encap_compile.compile.model import Facts, Rows

from .inner import Inner
from .near import Near

PLAIN = ("mark", "destination_port", "source_port", "protocol")


@dataclass(frozen=True)
class RuleAim:
    """`rows` are those of a table that the packet itself finds a row in; `prefixes` long lists by map."""

    conditions: Sequence[ir.Condition]
    facts: Facts
    rows: Rows | None = None

    def meet(self, random: Random, near: Near, inner: Inner) -> Inner:
        found = _family(self.conditions, random, near, inner)
        for condition in self.conditions:
            found = self._condition(condition, random, near, found)
        if self.rows is not None and random.random() < 0.85:
            found = self._row(self.rows, random, near, found)
        return found

    def _condition(self, condition: ir.Condition, random: Random, near: Near, inner: Inner) -> Inner:
        if isinstance(condition, ir.InPrefixes | ir.InPrefixMap):
            listed = condition.prefixes if isinstance(condition, ir.InPrefixes) else self.facts.prefixes[condition.map]
            own = [p for p in listed if f"ipv{p.version}" == inner.family]
            return _with(inner, condition.member, near.within(random.choice(own))) if own else inner
        if isinstance(condition, ir.InRanges):
            first, last = random.choice(condition.ranges)
            return _with(inner, condition.member, random.choice((first, last, random.randint(first, last))))
        return inner

    @staticmethod
    def _row(rows: Rows, random: Random, near: Near, inner: Inner) -> Inner:
        if not rows.by_key:
            return inner
        exact = random.choice(list(rows.by_key))
        for name, value in zip(rows.exact, exact, strict=True):
            if isinstance(value, bytes) and name in ("source", "destination"):
                inner = replace(inner, family="ipv4" if len(value) == 4 else "ipv6")
        lengths = rows.by_key[exact]
        (size, length) = random.choice(list(lengths))
        if size:
            number = random.choice(list(lengths[size, length])) << 8 * size - length
            network = (IPv4Network if size == 4 else IPv6Network)((number, length))
            inner = _with(_of_family(inner, near, f"ipv{network.version}"), rows.prefix, near.within(network))
        for name, value in zip(rows.exact, exact, strict=True):
            if name in (*PLAIN, "dscp", "source", "destination"):
                inner = _with(inner, name, value)
        return inner


def _with(inner: Inner, member: str, value: object) -> Inner:
    if member == "dscp":
        assert isinstance(value, int)
        return replace(inner, tos=value << 2 | inner.tos & 3)
    return replace(inner, **{member: value})  # type: ignore[arg-type]


def _of_family(inner: Inner, near: Near, family: str) -> Inner:
    if inner.family == family:
        return inner
    source, destination = near.address(family, "source"), near.address(family, "destination")
    return replace(inner, family=family, source=source, destination=destination, extensions=(), options=b"")


def _family(conditions: Sequence[ir.Condition], random: Random, near: Near, inner: Inner) -> Inner:
    """Of a family that can meet all conditions, if there is one."""
    families = {"ipv4", "ipv6"}
    for condition in conditions:
        if isinstance(condition, ir.IsFamily):
            families &= {condition.family}
        elif isinstance(condition, ir.InPrefixes):
            families &= {f"ipv{p.version}" for p in condition.prefixes}
    if not families or inner.family in families:
        return inner
    return _of_family(inner, near, random.choice(sorted(families)))


def egress_aims(program: ir.Program, facts: Facts) -> list[RuleAim]:
    tables = {t.name for t in program.tables if not t.by_name and not t.received}
    found = []
    for rule in program.egress.rules:
        found_by_key = (s.find.table for s in rule.steps if isinstance(s, ir.LookUp) and isinstance(s.find, ir.ByKey))
        rows = next((facts.tables[table] for table in found_by_key if table in tables), None)
        found.append(RuleAim(rule.conditions, facts, rows))
    return found


def ingress_aims(program: ir.Program, facts: Facts) -> list[RuleAim]:
    """The inner packets that ingress rules match; and those whose answers egress rules encapsulate."""
    return list(_ingress(program, facts))


def _ingress(program: ir.Program, facts: Facts) -> Iterator[RuleAim]:
    for rule in program.ingress_rules:
        yield RuleAim(rule.match, facts)

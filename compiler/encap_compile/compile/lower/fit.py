"""What TCP segments must leave headroom for: which flows a rule encapsulates, and by how much packets can grow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .. import ir
from ..resolved.attributing import attributes
from ..resolved.coverage import Coverage
from ..spec import Addresses, EgressRule, IngressRule, Match, Range, Spec
from .attribution import attributing_tables
from .attribution import most_overhead as most_by_attribution
from .c_names import c_name
from .conditions import PORT_WORDS

TCP = 6


def varies(rule: EgressRule) -> bool:
    """Whether the rule may take one packet of a flow and leave another to the rules behind it."""
    match = rule.match
    undecided = rule.on_miss == "next" or rule.socket or rule.reflect is not None
    return bool(undecided or match.dscp or match.mark or match.cgroup)


def takes_tcp(match: Match) -> bool:
    return not match.protocol or TCP in match.protocol


def overlap(one: Match, other: Match) -> bool:
    """Whether a TCP flow can meet both. May say yes where the truth is no."""
    return (
        takes_tcp(one)
        and takes_tcp(other)
        and _meet(one.destination, other.destination)
        and _meet(one.source, other.source)
        and _ranges_meet(one.destination_port, other.destination_port)
        and _ranges_meet(one.source_port, other.source_port)
    )


def _meet(one: Addresses | None, other: Addresses | None) -> bool:
    if one is None or other is None or one is other:
        return True
    if len(one.prefixes) * len(other.prefixes) > 4096:
        return True  # two long lists: taken to meet
    return any(a.version == b.version and a.overlaps(b) for a in one.prefixes for b in other.prefixes)


def _ranges_meet(one: Sequence[Range], other: Sequence[Range]) -> bool:
    return not one or not other or any(a.first <= b.last and b.first <= a.last for a in one for b in other)


def table_overhead(spec: Spec, table: str, stacks: Sequence[ir.Stack]) -> int:
    """By how much the packets of a flow can grow of which one packet takes a row of `table`: a row may change, and
    packets of one flow may take rows of several tables."""
    encapsulations = set(spec.endpoints[table].encapsulations)
    own = [r for r in spec.egress.rules if any(t.table == table for t in r.targets)]
    every = {
        e for t in {t.table for r in spec.egress.rules for t in r.targets} for e in spec.endpoints[t].encapsulations
    }
    for other in spec.egress.rules if encapsulations != every else ():
        tables = {t.table for t in other.targets} - {table}
        added = {e for t in tables for e in spec.endpoints[t].encapsulations} - encapsulations
        if added and any((varies(rule) or varies(other)) and overlap(rule.match, other.match) for rule in own):
            encapsulations |= added
    most = max((s.overhead for s in stacks if s.encapsulation in encapsulations), default=0)
    return max(most, most_by_attribution(spec, stacks)) if c_name(table) in attributing_tables(spec) else most


def overhead_constant(table: str) -> str:
    return f"OVERHEAD_{c_name(table)}".upper()


def fit_constants(spec: Spec, stacks: Sequence[ir.Stack], fit: ir.Fit | None) -> ir.ConstantGroup | None:
    """For every table that a rule leads to, and for what is remembered. None where nothing is made to fit."""
    if not spec.mtu.clamp_mss:
        return None
    tables = dict.fromkeys(t.table for rule in spec.egress.rules for t in rule.targets)
    found = [
        ir.NamedConstant(
            overhead_constant(table), str(table_overhead(spec, table, stacks)), f"bytes, of rows of {table}"
        )
        for table in tables
    ]
    return ir.ConstantGroup("What TCP segments leave headroom for.", tuple(found)) if found else None


def lower_fit(spec: Spec, stacks: Sequence[ir.Stack], matches: Mapping[str, tuple[ir.Condition, ...]]) -> ir.Fit | None:
    """None where nothing is made to fit. `matches` are the conditions of the egress rules."""
    if not spec.mtu.clamp_mss:
        return None
    answers = _answers(spec, matches)
    found = ir.Fit(
        answers,
        remembers=not all(_answered(spec, rule, stacks) for rule in spec.ingress.rules),
        asks_packet=any(answer.conditions for answer in answers),
        ends_open=not answers or not answers[-1].final or bool(answers[-1].conditions),
    )
    return found if found.answers or found.remembers else None


def _answers(spec: Spec, matches: Mapping[str, tuple[ir.Condition, ...]]) -> tuple[ir.Answer, ...]:
    """The rules that an answer may meet, up to the last that encapsulates.

    What only the answer shows (DSCP, mark) counts as matching. Rules that reflect, or attribute packets, find
    out otherwise what must fit.
    """
    found = []
    for rule in spec.egress.rules:
        if rule.reflect is not None or attributes(rule, spec) or not takes_tcp(rule.match):
            continue
        if rule.to is None and varies(rule):
            continue  # it may take the answer, or not
        shown = tuple(c for c in matches[rule.name] if not isinstance(c, ir.InRanges) or c.member in PORT_WORDS)
        overhead = overhead_constant(rule.to.table) if rule.to else ""
        found.append(ir.Answer(rule.name, c_name(rule.name), shown, overhead, not varies(rule)))
        if not shown and not varies(rule):
            break  # every answer meets it
    while found and not found[-1].overhead:
        found.pop()
    return tuple(found)


def _answered(spec: Spec, rule: IngressRule, stacks: Sequence[ir.Stack]) -> bool:
    """Whether everything that answers what an ingress rule takes is made to fit by egress, or dropped there."""
    match = rule.match
    turned = Match(
        destination=match.source,
        source=match.destination,
        protocol=match.protocol,
        destination_port=match.source_port,
        source_port=match.destination_port,
    )
    arriving = max((s.most_overhead for s in stacks if s.encapsulation == rule.decapsulate), default=0)
    coverage = Coverage()
    for other in spec.egress.rules:
        reflected = other.reflect is not None and other.reflect.rule == rule.name
        if rule.learn is not None and rule.learn.direction == "forwarded" and reflected:
            return True  # it goes on, as it came
        if reflected and not other.match.mark and not other.match.dscp and coverage.covers(other.match, turned):
            return True  # what is not learned goes to the rules behind it, which the check on reflection looks at
        covers = coverage.covers(other.match, turned)
        if other.action == "drop" and covers:
            return True
        if other.to is not None and covers and not varies(other):
            return other.on_miss == "drop" and table_overhead(spec, other.to.table, stacks) >= arriving
        if other.action != "drop" and not reflected:
            return False
    return spec.egress.default == "drop"

"""What TCP segments must leave headroom for: which flows a rule encapsulates, and by how much packets can grow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .. import ir
from ..resolved import IngressRule, Resolved, Table
from ..resolved.coverage import Coverage
from ..resolved.flows import takes_tcp
from ..spec import Match
from .attribution import most_overhead as most_by_attribution
from .c_names import c_name
from .conditions import PORT_WORDS
from .used_stacks import UsedStacks


def _overhead(resolved: Resolved, table: Table, stacks: UsedStacks) -> int:
    """By how much the packets of a flow can grow of which one packet takes a row of `table`."""
    encapsulations = resolved.flows[table.name]
    most = max((s.overhead for s in stacks.sent if s.encapsulation in encapsulations), default=0)
    return max(most, most_by_attribution(resolved, stacks)) if table.name in resolved.attributed_tables else most


def overhead_constant(table: str) -> str:
    return f"OVERHEAD_{c_name(table)}".upper()


def fit_constants(overheads: Mapping[str, int]) -> Iterator[ir.ConstantGroup]:
    """For every table that a rule leads to."""
    found = [
        ir.NamedConstant(overhead_constant(table), str(most), f"bytes, of rows of {table}")
        for table, most in overheads.items()
    ]
    if found:
        yield ir.ConstantGroup("What TCP segments leave headroom for.", tuple(found))


def table_overheads(resolved: Resolved, stacks: UsedStacks) -> dict[str, int]:
    """By table, where TCP is made to fit."""
    return {name: _overhead(resolved, resolved.tables[name], stacks) for name in sorted(resolved.flows)}


def lower_fit(
    resolved: Resolved,
    stacks: UsedStacks,
    matches: Mapping[str, tuple[ir.Condition, ...]],
    overheads: Mapping[str, int],
) -> ir.Fit | None:
    """None where nothing is made to fit. `matches` are the conditions of the egress rules, `overheads` those of
    tables."""
    if not resolved.spec.mtu.clamp_mss:
        return None
    answered = all(_answered(resolved, rule, stacks, overheads) for rule in resolved.ingress)
    answers = _answers(resolved, matches)
    found = ir.Fit(
        answers,
        remembers=not answered,
        asks_packet=any(answer.conditions for answer in answers),
        ends_open=not answers or not answers[-1].final or bool(answers[-1].conditions),
    )
    return found if found.answers or found.remembers else None


def _answers(resolved: Resolved, matches: Mapping[str, tuple[ir.Condition, ...]]) -> tuple[ir.Answer, ...]:
    """The rules that an answer may meet, up to the last that encapsulates.

    What only the answer shows (DSCP, mark) counts as matching. Rules that reflect, or attribute packets, find
    out otherwise what must fit.
    """
    found = []
    for rule in resolved.egress:
        if rule.reflect is not None or rule.attributes or not takes_tcp(rule.match):
            continue
        if rule.to is None and rule.varies:
            continue  # it may take the answer, or not
        shown = tuple(c for c in matches[rule.name] if not isinstance(c, ir.InRanges) or c.member in PORT_WORDS)
        overhead = overhead_constant(rule.to.table.name) if rule.to else ""
        found.append(ir.Answer(rule.name, c_name(rule.name), shown, overhead, not rule.varies))
        if not shown and not rule.varies:
            break  # every answer meets it
    while found and not found[-1].overhead:
        found.pop()
    return tuple(found)


def _answered(resolved: Resolved, rule: IngressRule, stacks: UsedStacks, overheads: Mapping[str, int]) -> bool:
    """Whether everything that answers what an ingress rule takes is made to fit by egress, or dropped there."""
    match = rule.match
    turned = Match(
        destination=match.source,
        source=match.destination,
        protocol=match.protocol,
        destination_port=match.source_port,
        source_port=match.destination_port,
    )
    arriving = max((s.most_overhead for s in stacks.all if s.encapsulation == rule.decapsulate.name), default=0)
    coverage = Coverage()
    for other in resolved.egress:
        reflected = other.reflect is not None and other.reflect.rule is rule
        if rule.learn is not None and rule.learn.direction == "forwarded" and reflected:
            return True  # it goes on, as it came
        if reflected and not other.match.mark and not other.match.dscp and coverage.covers(other.match, turned):
            return True  # what is not learned goes to the rules behind it, which the check on reflection looks at
        covers = coverage.covers(other.match, turned)
        if other.action == "drop" and covers:
            return True
        if other.to is not None and covers and not other.varies:
            return other.on_miss == "drop" and overheads[other.to.table.name] >= arriving
        if other.action != "drop" and not reflected:
            return False
    return resolved.spec.egress.default == "drop"

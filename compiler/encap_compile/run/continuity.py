"""What an apply keeps and what starts empty: maps that packets write, and the totals of counters.

Maps of rows do not count here, because they are filled from files; nor do per-packet scratch maps.
"""

from __future__ import annotations

from ..common.diagnostics import Diagnostic, Severity
from ..common.record import Record
from .kernel.uapi import BPF_MAP_TYPE_PERCPU_ARRAY
from .loader import counters
from .loader.layout_ids import COUNTERS
from .loader.observe import Observed
from .loader.state import Totals
from .plan import Plan


def starts_empty(plan: Plan) -> tuple[str, ...]:
    """The maps that will start empty although one of the name exists, because its layout or size differs."""
    there = {p.map for p in plan.observed.pins}
    made = [m.map for m in plan.maps if m.existing is None and m.content is None and m.map in there]
    kept = [name for name in made if name != COUNTERS and _remembers(plan, name)]
    return (*kept, *([COUNTERS] if _uncounted(plan) else []))


def _remembers(plan: Plan, name: str) -> bool:
    return plan.desired.definitions[name].type != BPF_MAP_TYPE_PERCPU_ARRAY  # scratch


def _uncounted(plan: Plan) -> bool:
    """Whether a map of counters goes whose layout nobody knows any more: its state is lost."""
    known = plan.observed.state.counter_layouts if plan.observed.state else {}
    return any(p.map == COUNTERS and p.layout not in known for p in plan.leftovers)


class RuleTotals(Record):
    """What becomes of what rules counted. A rule that goes on under its name is in none of these."""

    carried: tuple[tuple[str, str], ...] = ()  # (rule, its name before)
    begins: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()


def totals_of_rules(plan: Plan) -> RuleTotals:
    """Which rules continue the totals of another name, begin at 0, or have gone; nothing before the first apply."""
    state, manifest = plan.observed.state, plan.desired.manifest
    if state is None or state.manifest is None:
        return RuleTotals()
    layouts = (state.counter_layouts.get(p.layout, {}) for p in plan.observed.pins if p.map == COUNTERS)
    before = {name for counted in state.carried.values() for name in counted}
    before |= {name for layout in layouts for name in layout}
    carried, begins = [], []
    for rule in manifest.rules:
        own = [c for c in manifest.counters if c.rule == rule.name]
        if any(former in before for c in own for former in c.was):
            carried.append((rule.name, rule.was))
        elif own and not any(name in before for c in own for name in counters.names(c)):
            begins.append(rule.name)
    there = {rule.name for rule in manifest.rules} | {former for _, former in carried}
    return RuleTotals(tuple(carried), tuple(begins), tuple(r.name for r in state.manifest.rules if r.name not in there))


def lost(plan: Plan, before: Totals, seen: Observed) -> Diagnostic | None:
    """H154, if a counter is lower once the plan is carried out than it was before, by a look of its own."""
    after = counters.totals(seen)
    known = {name: c for c in plan.desired.manifest.counters for name in counters.names(c)}
    gone = [
        f"{name} {packets}"
        for name, (packets, _) in before.items()
        if packets > max(after.get(name, (0, 0))[0], counters.total(after, known[name])[0] if name in known else 0)
    ]
    if not gone:
        return None
    words = f"totals were lost: {', '.join(gone)}"
    fix = "add what `encapctl stats` showed before to what it shows from now on"
    return Diagnostic("H154", words, help=fix, severity=Severity.WARNING)

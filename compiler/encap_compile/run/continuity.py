"""What of an earlier apply outlives the next one: whether maps that packets write, and counters, go on or begin anew.

Rows are written again from their files, so they do not count here; nor does what a program keeps for one packet.
"""

from __future__ import annotations

from ..common.diagnostics import Diagnostic, Severity
from .kernel.uapi import BPF_MAP_TYPE_PERCPU_ARRAY
from .loader import counters
from .loader.layout_ids import COUNTERS
from .loader.observe import Observed
from .loader.state import Totals
from .plan import Plan


def begins_anew(plan: Plan) -> tuple[str, ...]:
    """The maps that will be empty, although there is one of the name: its layout or its size is another."""
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


def lost(plan: Plan, before: Totals, seen: Observed) -> Diagnostic | None:
    """H154, if a counter is lower once the plan is carried out than it was before, by a look of its own."""
    after = counters.totals(seen)
    known = {c.formerly or c.name: c for c in plan.desired.manifest.counters}
    gone = [
        f"{name} {packets}"
        for name, (packets, _) in before.items()
        if packets > max(after.get(name, (0, 0))[0], counters.total(after, known[name])[0] if name in known else 0)
    ]
    if not gone:
        return None
    words = f"counters begin anew that had counted packets: {', '.join(gone)}"
    fix = "add what `encapctl stats` showed before to what it shows from now on"
    return Diagnostic("H154", words, help=fix, severity=Severity.WARNING)

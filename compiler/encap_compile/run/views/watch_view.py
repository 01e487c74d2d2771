"""What `watch` says: a line for each change, or a document."""

from __future__ import annotations

from typing import Any

from ...common.reporting.json import document as of_diagnostics
from ..loader.state import cgroup_words
from ..plan import KEEP, CgroupChange, Plan
from ..watch import Round
from . import counted


def round_text(done: Round) -> str:
    """What has changed; nothing after a failure, whose diagnostics say it."""
    if done.applied is None:
        return ""
    plan, took = done.applied.plan, f"   {done.applied.seconds:.2f} s"
    lines = [f"{plan.desired.manifest.name}: {_change(change)}{took}" for change in plan.cgroups]
    if done.why:
        lines.append(f"{plan.desired.manifest.name}: {', '.join(done.why)} changed: {_summary(plan)}{took}")
    if not lines:
        lines = [f"{plan.desired.manifest.name}: {_summary(plan)}{took}"]
    return "\n".join(lines) + "\n"


def round_document(done: Round) -> dict[str, Any]:
    """The same for programs; after a failure with diagnostics, and when it is tried again."""
    plan = done.applied.plan if done.applied else None
    return {
        **of_diagnostics([*done.failure, *(plan.findings.all if plan else ())]),
        "name": plan.desired.manifest.name if plan else None,
        "identity": plan.desired.manifest.identity if plan else None,
        "cgroups": [{"path": c.path, "before": c.before or None, "number": c.after or None} for c in plan.cgroups]
        if plan
        else [],
        "pending": list(plan.desired.cgroups.pending) if plan and plan.desired.cgroups else [],
        "programs": sum(h.action != KEEP for h in plan.hooks) if plan else 0,
        "retry_seconds": done.retry or None,
        "waits": done.waits,
        "closed": done.closed,
        "changed": list(done.why),
    }


def _change(change: CgroupChange) -> str:
    name = cgroup_words(change.path)
    if not change.after:
        return f"{name} is gone, and pending until it comes back"
    if change.before:
        return f"{name} is another one now, number {change.before} -> {change.after}: applied"
    return f"{name} has come, number {change.after}: applied"


def _summary(plan: Plan) -> str:
    count = sum(h.action != KEEP for h in plan.hooks)
    return f"{plan.desired.manifest.identity[:8]} is in force, {counted(count, 'program')} changed"

"""Status and counters as text and JSON."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ...common.diagnostics import Diagnostic
from ...common.manifest import Counter, RuleSummary
from ...common.reporting.json import document as of_diagnostics
from ..kernel.system import kernel_release
from ..loader.state import cgroup_words
from ..remove import Removed
from ..status import HookStatus, Status
from . import FORMAT_VERSION, counted, hook_place, hook_words
from .budget_view import learned_document, learned_lines
from .route_device_view import status_document as route_device_document
from .route_device_view import status_lines as route_device_lines

MOST_RULES = 20  # named by `remove` one by one
MOST_PENDING = 20  # cgroups named one by one


def status_text(status: Status) -> str:
    """What is in force, hook by hook, then drift, then the counters."""
    lines = [f"{status.name} on {os.uname().nodename}, kernel {kernel_release()}: {_in_force(status)}"]
    lines += [_hook_line(h) for h in status.hooks]
    if status.host:
        lines.append("  host   " + "   ".join(f"{name} = {value}" for name, value in status.host.items()))
    lines += route_device_lines(status)
    lines += _filled_lines(status)
    lines += [f"  device {d.text}" for d in status.gro.devices if d.index]
    if status.manifest and status.manifest.rules:
        width = max(12, *(len(r.name) for r in status.manifest.rules))
        lines += [f"  rule   {r.name:<{width}} {r.text}   {r.place}" for r in status.manifest.rules]
    lines += [f"  {line}" for line in learned_lines(status.learned)]
    lines += [f"  pending  {text}" for text in _pending(status)]
    lines += [f"  DRIFT  {text}" for text in status.drift]
    moved = [c for c in status.counters if c[1]]
    if status.counters:
        lines += ["", *_counter_lines(moved)]
        still = len(status.counters) - len(moved)
        lines.append(f"  {counted(still, 'counter')} {'is' if still == 1 else 'are'} 0: encapctl stats {status.name}")
    return "\n".join(lines) + "\n"


def _filled_lines(status: Status) -> list[str]:
    """Each table and prefix set, with the digest of what was applied: `status --deep` compares the map with it."""
    lines = []
    for name, filled in status.state.filled.items() if status.state else ():
        if filled.kind not in ("rows", "prefixes"):
            continue
        source = f"   from {filled.file} ({filled.origin})" if filled.origin else ""
        lines.append(f"  {filled.kind:<6} {filled.table or name}: {filled.count}, digest {filled.digest}{source}")
    return lines


def counters_text(status: Status) -> str:
    """The counters alone."""
    return "\n".join(_counter_lines(status.counters)) + "\n"


def status_document(status: Status) -> dict[str, Any]:
    """The status for programs."""
    return {
        **of_diagnostics(_unreadable(status)),
        "name": status.name,
        "identity": status.manifest.identity if status.manifest else None,
        "program": status.manifest.runs if status.manifest else None,
        "applied_at": status.state.applied_at if status.state else None,
        "kernel": kernel_release(),
        "up": status.up,
        "drift": list(status.drift),
        "host": status.host,
        "hooks": [
            {
                **hook_words(h.on, h.hook.point),
                "kind": h.running.kind if h.running else None,
                "program_id": h.running.program_id if h.running else None,
                "identity": h.identity or None,
                "since": h.since or None,
                "programs": [{"name": p.name, "id": p.program_id, "kind": p.kind, "ours": p.ours} for p in h.programs],
            }
            for h in status.hooks
        ],
        **route_device_document(status),
        "filled": [{"map": name, **asdict(filled)} for name, filled in status.state.filled.items()]
        if status.state
        else [],
        "gro_devices": [{"name": d.name, "kind": d.kind, "port": d.port} for d in status.gro.devices if d.index],
        "cgroups": [{"path": path, "number": number or None} for path, number in status.cgroups.items()],
        "pending": [path for path, number in status.cgroups.items() if not number],
        "rules": [{"name": r.name, "text": r.text, "place": r.place} for r in status.manifest.rules]
        if status.manifest
        else [],
        "learned_paths": learned_document(status.learned),
        "counters": counters_document(status)["counters"],
    }


def counters_document(status: Status) -> dict[str, Any]:
    """The counters for programs. Packets are segments as on the wire, bytes those of the inner packets."""
    return {
        **of_diagnostics(_unreadable(status)),
        "name": status.name,
        "counters": [
            {
                "name": c.name,
                "kind": c.kind,
                "direction": c.direction,
                "rule": c.rule,
                "table": c.table,
                "encapsulation": c.encapsulation,
                "outcome": c.outcome,
                "reason": c.reason,
                "packets": packets,
                "bytes": size,
                "text": c.text,
                "place": c.place,
            }
            for c, packets, size in status.counters
        ],
    }


def _unreadable(status: Status) -> list[Diagnostic]:
    return [status.unreadable.diagnostic(status.name)] if status.unreadable is not None else []


def removed_text(removed: Removed) -> str:
    """What was detached, and what becomes of the packets now."""
    programs, maps = counted(len(removed.hooks), "program"), counted(removed.maps, "map")
    lines = [f"removed `{removed.name}`: {programs} detached, {maps} unpinned"]
    lines += [f"  - hook {hook_place(h.on, h.kind, h.point)}" for h in removed.hooks]
    lines += [f"  - device {name}" for name in removed.gro_devices]
    lines += _rules("now unencapsulated", removed.unencapsulated)
    lines += _rules("no longer dropped", removed.undropped)
    lines += ["  - routes that were closed until apply"] if removed.opened else []
    lines += [f"  - device {name}, and the routes that led to it" for name in removed.devices]
    lines += [f"  ~ sysctl {name}, which is as it was before" for name in removed.settings]
    lines += [f"  - {path}" for path in removed.forgotten]
    lines += (
        [] if removed.rules_known else ["  not known: which of its packets are now sent unencapsulated, or not dropped"]
    )
    return "\n".join(lines) + "\n"


def _rules(what: str, rules: Sequence[RuleSummary]) -> list[str]:
    """A line for each of the first rules: what it matched. A long list of prefixes is short in the rule's text."""
    lines = [f"  {what}: {_matched(r)}   (rule {r.name}, {r.place})" for r in rules[:MOST_RULES]]
    more = len(rules) - len(lines)
    return [*lines, f"  {what}: what {counted(more, 'more rule')} matched"] if more else lines


def _matched(rule: RuleSummary) -> str:
    if " -> " in rule.text:
        return rule.text.partition(" -> ")[0]
    return rule.text.rpartition(": ")[0] or "everything else"


def removed_document(removed: Removed) -> dict[str, Any]:
    """The same for programs."""
    return {
        "format_version": FORMAT_VERSION,
        "name": removed.name,
        "hooks": [{**hook_words(h.on, h.point), "kind": h.kind} for h in removed.hooks],
        "maps": removed.maps,
        "unencapsulated": [_rule(r) for r in removed.unencapsulated],
        "gro_devices": list(removed.gro_devices),
        "opened": removed.opened,
        "files": [str(path) for path in removed.forgotten],
        "no_longer_dropped": [_rule(r) for r in removed.undropped],
        "rules_known": removed.rules_known,
        "devices": list(removed.devices),
        "settings": list(removed.settings),
    }


def _rule(rule: RuleSummary) -> dict[str, Any]:
    return {"rule": rule.name, "destinations": list(rule.destinations), "text": rule.text}


def _pending(status: Status) -> list[str]:
    """Cgroups that are not there, a line each as far as a person reads them."""
    paths = [path for path, number in status.cgroups.items() if not number]
    places = {c.path: f"   {c.place}" for c in status.manifest.cgroups} if status.manifest else {}
    lines = [f"{cgroup_words(p)}: not there{places.get(p, '   a row names it')}" for p in paths[:MOST_PENDING]]
    more = len(paths) - len(lines)
    return [*lines, f"{counted(more, 'more cgroup')}: not there"] if more else lines


def _in_force(status: Status) -> str:
    if status.unreadable is not None:
        return "its state cannot be read"
    if status.state is None:
        return "its state is not there"
    if status.manifest is None:
        return "no apply has finished yet"
    since = time.strftime("%Y-%m-%d %H:%M", time.localtime(status.state.applied_at))
    return f"{status.manifest.identity[:8]} in force since {since}" + (", with drift" if status.drift else "")


def _hook_line(hook: HookStatus) -> str:
    programs = ", ".join(f"[{p.name}]" if p.ours else p.name or f"program {p.program_id}" for p in hook.programs)
    running = hook.running
    if running is None:
        return f"  hook   {hook.on} {hook.hook.point.word}: {programs or 'empty'}   ours is not there"
    code = hook.identity[:8] or "unknown code"
    where = hook_place(hook.on, running.kind, hook.hook.point)
    return f"  hook   {where}: {programs}   {code}, program {running.program_id}"


def _counter_lines(counters: Sequence[tuple[Counter, int, int]]) -> list[str]:
    width = max((len(c.name) for c, _, _ in counters), default=0)
    return [
        f"  {c.name:<{width}}  {packets:>12} packets  {size:>15} bytes   {c.text}{f'   {c.place}' if c.place else ''}"
        for c, packets, size in counters
    ]

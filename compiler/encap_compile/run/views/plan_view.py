"""A plan as text and as JSON."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ...common.diagnostics import Diagnostic
from ...common.reporting.json import document as of_diagnostics
from ..continuity import starts_empty, totals_of_rules
from ..kernel.hooks.base import DEVICE_POINTS, OnHook
from ..kernel.system import kernel_release
from ..loader.cgroups import needed_points
from ..loader.closing import CLOSED, closable, left_open, on_link
from ..loader.hostfile import DEFAULT
from ..loader.layout_ids import COUNTERS
from ..loader.learned_paths import LearnedPath
from ..loader.routing import RouteReport
from ..loader.scope import Scope
from ..loader.state import cgroup_words, target_name
from ..plan import ATTACH, DETACH, KEEP, REPLACE, SWITCH, HookChange, MapChange, Plan
from . import counted, hook_place, hook_words
from .budget_view import budget_document, budget_lines
from .gro_view import gro_document, gro_lines
from .route_device_view import plan_document as route_device_document
from .route_device_view import plan_lines as route_device_lines

MOST_NAMED = 5  # prefixes and rules
MOST_PENDING = 5  # rows named one by one
_SIGNS = {KEEP: " ", ATTACH: "+", REPLACE: "~", SWITCH: "~", DETACH: "-"}
_WORDS = {
    KEEP: "stays",
    ATTACH: "attached",
    REPLACE: "replaced in place",
    SWITCH: "attached again, then the old one detached",
    DETACH: "detached",
}


def plan_text(plan: Plan, routes: RouteReport | None = None, done: bool = False, seconds: float = 0.0) -> str:
    """The plan line by line; `done` words it as what was done."""
    lines = [_heading(plan, done)]
    if plan.observed.former_left:
        word = "taken over from" if done else "would be taken over from"
        lines.append(f"  ~ {word} {plan.desired.paths.former}: hooks, maps and counters; nothing of it stays")
    if plan.observed.beside:
        lines.append(
            "  ~ what the first release has begun beside it would be joined: its counters count, its programs go"
        )
    values = [f"{n} = {v.text()} ({v.origin})" for n, v in plan.desired.machine.values.items()]
    if values:
        lines.append("  host   " + "   ".join(values))
    width = max((len(c.rule.name) for c in plan.rules), default=0)
    lines += [f"  {c.sign} rule {c.rule.name:<{max(width, 12)}} {_arrow(c.before, c.rule.text)}" for c in plan.rules]
    lines += [text for m in plan.maps if (text := _map_line(m))]
    empty = starts_empty(plan)
    lines += [_hook_line(h, empty) for h in plan.hooks if h.action != KEEP or not done]
    lines += [_empty_line(name) for name in empty]
    lines += _totals_lines(plan)
    lines += route_device_lines(plan, done)
    lines += _cgroup_lines(plan)
    lines += gro_lines(plan.gro, done)
    lines += _boot_lines(plan) if not done else []
    if plan.scope is not None and not done:
        lines += _scope_lines(plan.scope)
    if plan.leftovers:
        lines.append(f"  - {counted(len(plan.leftovers), 'map')} of an older layout")
    lines += _route_lines(routes, plan.learned, done) if routes is not None else []
    lines.append(_summary(plan, done, seconds))
    return "\n".join(lines) + "\n"


def _route_lines(routes: RouteReport, learned: Sequence[LearnedPath], done: bool) -> list[str]:
    """How many tunnel endpoints are right, and which are this host; once done, only what is not right."""
    lines = []
    others = routes.pairs - routes.this_host
    if others and not (done and routes.right == others):
        sign = "ok    " if routes.right == others else "look  "
        lost = f", {routes.unreached} never reach the hook" if routes.unreached else ""
        lost += f", {routes.unknown} not known yet" if routes.unknown else ""
        lines.append(f"  {sign} next hop right for {routes.right} of {counted(others, 'endpoint')}{lost}")
    if routes.own and not done:
        rows = counted(routes.this_host, "row")
        lines.append(f"    this host  {', '.join(routes.own)}: the endpoint of {rows}, to which nothing is sent")
    if routes.budget is not None and not done:
        lines += budget_lines(routes.budget, learned)
    return lines


def plan_document(plan: Plan, routes: RouteReport | None, diagnostics: list[Diagnostic]) -> dict[str, Any]:
    """The plan for programs."""
    desired, state, totals = plan.desired, plan.observed.state, totals_of_rules(plan)
    return {
        **of_diagnostics(diagnostics),
        "name": desired.manifest.name,
        "identity": desired.manifest.identity,
        "in_force": state.manifest.identity if state and state.manifest else None,
        "program": desired.manifest.runs,
        "kernel": kernel_release(),
        "network_namespace": desired.paths.namespace.inode,
        "network_namespace_cookie": desired.paths.namespace.cookie or None,
        "attach": desired.attach.name,
        "changed": plan.changed,
        "starts_empty": list(starts_empty(plan)),
        "totals": {
            "carried": [{"rule": name, "was": was} for name, was in totals.carried],
            "begin": list(totals.begins),
            "end": list(totals.ends),
        },
        "replaces": plan.desired.paths.former if plan.observed.former_left else None,
        "host": [
            {"name": n, "type": v.declaration.type, "value": v.text(), "origin": v.origin}
            for n, v in desired.machine.values.items()
        ],
        "hooks": [
            {
                **hook_words(h.on, h.hook.point),
                ("ifindex" if h.hook.point in DEVICE_POINTS else "number"): h.hook.target,
                "kind": h.kind,
                "action": h.action,
                "why": h.why,
                "programs": [asdict(p) for p in h.programs],
            }
            for h in plan.hooks
        ],
        "gro_devices": gro_document(plan.gro),
        **route_device_document(plan),
        "cgroups": _cgroups(plan),
        "boot": {
            "closed": [str(n) for n in closable(desired.manifest)] if desired.manifest.boot == CLOSED else [],
            "unencapsulated": [r.name for r in left_open(desired.manifest)],
        },
        "sockets": {
            "elsewhere": plan.scope.count,
            "elsewhere_named": list(plan.scope.elsewhere),
            "marked": plan.scope.marked,
        }
        if plan.scope
        else None,
        "rules": [{"change": c.sign, "name": c.rule.name, "text": c.rule.text, "before": c.before} for c in plan.rules],
        "maps": [
            {
                "map": m.map,
                "table": m.content.table if m.content else "",
                "new": m.existing is None,
                "added": m.difference.added,
                "removed": m.difference.removed,
                "changed": m.difference.changed,
                "entries": m.content.entries.count if m.content else None,
                "file": m.content.file if m.content else "",
                "origin": m.content.origin if m.content else "",
                "pending": list(m.content.pending) if m.content else [],
            }
            for m in plan.maps
        ],
        "routes": {
            "right": routes.right,
            "unreached": routes.unreached,
            "unknown": routes.unknown,
            "this_host": routes.this_host,
            "looked_at": routes.pairs,
            "total": routes.total,
        }
        if routes
        else None,
        "mtu": budget_document(routes.budget, plan.learned) if routes else None,
    }


def _heading(plan: Plan, done: bool) -> str:
    new, state = plan.desired.manifest, plan.observed.state
    old = state.manifest if state else None
    where = f"{new.name} on {os.uname().nodename}, kernel {kernel_release()}"
    if old is None:
        now = "what runs is of no finished apply" if plan.observed.running else "not loaded"
        now = "what was applied cannot be read" if plan.observed.unreadable is not None else now
    else:
        since = time.strftime("%Y-%m-%d %H:%M", time.localtime(state.applied_at)) if state else ""
        now = f"{old.identity[:8]} {'ran' if done else 'runs'} since {since}"
    if not plan.changed:
        return f"{where}: {new.identity[:8]} runs"
    return f"{where}: {now}; {'applied' if done else 'plan'}: {new.identity[:8]}"


def _empty_line(name: str) -> str:
    if name == COUNTERS:
        return "  - counters start at 0: the layout of the current ones is not known"
    return f"  - map {name} starts empty: the current one has another layout or size"


def _totals_lines(plan: Plan) -> list[str]:
    """Which totals renamed rules continue, and which rules start at 0 or are no longer shown."""
    totals = totals_of_rules(plan)
    lines = []
    if totals.carried:
        lines.append(f"    totals  carried: {_some([f'{was} -> {name}' for name, was in totals.carried])}")
    if totals.begins:
        lines.append(f"    totals  start at 0: {_some(list(totals.begins))}")
    if totals.ends:
        lines.append(f"    totals  no longer shown: {_some(list(totals.ends))}")
    return lines


def _arrow(before: str, after: str) -> str:
    return f"{before} -> {after}" if before and before != after else after


def _map_line(change: MapChange) -> str:
    if change.content is None:
        return f"  + map {change.map}" if change.existing is None else ""
    d, kind = change.difference, change.content.kind
    what = f"rows {change.content.table}" if kind == "rows" else f"{kind} {change.map}"
    if not change.changed:
        return f"    {what} {change.content.entries.count}, nothing to change"
    new = "   in a new map" if change.existing is None else ""
    new += f"   from {change.content.file} ({change.content.origin})" if change.content.origin else ""
    return f"  ~ {what} +{d.added} -{d.removed} ~{d.changed} of {change.content.entries.count}{new}"


def _program(program: OnHook) -> str:
    name = program.name or f"program {program.program_id}"
    return f"[{name}]" if program.ours else name


def _kept(empty: Sequence[str]) -> str:
    """What a replaced program goes on with."""
    words = ["counters kept"] if COUNTERS not in empty else []
    return ", ".join(["maps", *words] if not empty else [*words, f"starting empty: {' '.join(empty)}"])


def _hook_line(change: HookChange, empty: Sequence[str]) -> str:
    programs = ", ".join(_program(p) for p in change.programs) or "empty"
    why = f"; {change.why}" if change.why else ""
    words = _WORDS[change.action] + (f"; {_kept(empty)}" if change.action == REPLACE else "")
    where = hook_place(change.on, change.kind, change.hook.point)
    return f"  {_SIGNS[change.action]} hook {where}: {programs} ({words}{why})"


def _boot_lines(plan: Plan) -> list[str]:
    """What becomes of packets before an apply: after a reboot, and while an attached device is missing or new."""
    manifest = plan.desired.manifest
    lines = []
    if manifest.boot == CLOSED:
        lines.append(f"    boot  closed until apply: {_some([str(n) for n in closable(manifest)])}")
        inside = [str(n) for n in on_link(closable(manifest))]
        lines += [f"    boot  open for the network itself, on-link there: {_some(inside)}"] if inside else []
    names = [rule.name for rule in left_open(manifest)]
    if names:
        lines.append(f"    boot  not in force until apply, and on a re-created device: {_some(names)}")
    return lines


def _some(words: list[str]) -> str:
    more = len(words) - MOST_NAMED
    return ", ".join(words[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _scope_lines(scope: Scope) -> list[str]:
    """Whose sockets the rules with `socket` and `cgroup` see."""
    words = "of this network namespace alone: rules with `socket` or `cgroup` do not see those of containers"
    lines = [f"    sockets  {words}"]
    if scope.count:
        more = f" and {scope.count - len(scope.elsewhere)} more" if scope.count > len(scope.elsewhere) else ""
        verb = "process is" if scope.count == 1 else "processes are"
        named = ", ".join(scope.elsewhere)
        lines.append(f"             {scope.count} {verb} in these cgroups and in another namespace: {named}{more}")
    if scope.marked:
        words = "made before the first apply, and that have not chosen: not kept from devices that are not attached"
        lines.append(f"             {words} (Linux 6.13)")
    return lines


def _cgroup_lines(plan: Plan) -> list[str]:
    """What has become of cgroups since the last apply; then those that are not there, with those that rows name."""
    lines = []
    for change in plan.cgroups:
        name = cgroup_words(change.path)
        if not change.before:
            lines.append(f"  + {name}: number {change.after}")
        elif change.after:
            lines.append(f"  ~ {name}: another one now, number {change.before} -> {change.after}")
        else:
            lines.append(f"  - {name}: is gone")
    for kind, hook in plan.swept:
        unknown = f"{'device' if hook.point in DEVICE_POINTS else 'cgroup'} {hook.target}"
        where = hook_place(target_name(plan.observed.state, hook, unknown), kind, hook.point)
        lines.append(f"  - hook {where}: left over, what it was on is gone")
    named = {c.path: c.place for c in plan.desired.manifest.cgroups}
    pending = plan.desired.cgroups.pending if plan.desired.cgroups else ()
    lines += [f"    pending  {cgroup_words(p)}: not there yet   {named[p]}" for p in pending if p in named]
    for content in plan.desired.wanted.contents:
        if content.pending:
            shown = ", ".join(content.pending[:MOST_PENDING])
            more = len(content.pending) - MOST_PENDING
            rest = f" and {more} more" if more > 0 else ""
            count = counted(len(content.pending), "row")
            lines.append(f"    pending  {count} of {content.table}, whose cgroup is not there yet: {shown}{rest}")
    return lines


def _cgroups(plan: Plan) -> list[dict[str, Any]]:
    """Each cgroup that the spec or a row names, with its number, and what it was at the last apply."""
    desired = plan.desired
    if desired.cgroups is None:
        return []
    hooks = {
        c.path: [point.word for point in sorted(needed_points(c), key=lambda point: point.rank)]
        for c in desired.manifest.cgroups
    }
    before = {c.path: c.before for c in plan.cgroups}
    return [
        {
            "path": path,
            "number": number or None,
            "before": before.get(path, number) or None,
            "hooks": hooks.get(path, []),
            "pending": not number,
        }
        for path, number in desired.cgroups.numbers.items()
    ]


def _summary(plan: Plan, done: bool, seconds: float) -> str:
    if not plan.changed:
        return "Nothing to change." if not done else f"Nothing changed: all is as the bundle says.   {seconds:.2f} s"
    if not plan.touches and plan.gro.changes:
        devices = counted(len(plan.gro.changes), "device")
        if done:
            return f"{devices} changed, and no program.   {seconds:.2f} s"
        return f"{devices} would change, and no program; nothing was done.  Next: {_apply_command(plan)}"
    if not plan.touches:
        only = "Only texts for people"
        if done:
            return f"{only} changed: they are recorded, no program was touched.   {seconds:.2f} s"
        return f"{only} would change, and no program; nothing was done.  Next: {_apply_command(plan)}"
    rows = sum(
        m.difference.added + m.difference.removed + m.difference.changed
        for m in plan.maps
        if m.content and m.content.kind == "rows"
    )
    programs = sum(h.action != KEEP for h in plan.hooks)
    parts = [
        counted(len(plan.rules), "rule"),
        counted(rows, "row"),
        counted(programs, "program"),
        *_beside(plan),
    ]
    if done:
        return f"{', '.join(parts)} changed.   {seconds:.2f} s"
    return f"{', '.join(parts)} would change; nothing was done.  Next: {_apply_command(plan)}"


def _beside(plan: Plan) -> list[str]:
    """What changes beside rules, rows and programs: devices of ours, routes, routing rules and sysctls."""
    change = plan.route_device
    device = bool(change.make or change.mend or change.deleted)
    routes = change.added + change.dropped
    made = device + len(plan.gro.changes)
    rules = len(change.rules_added) + len(change.rules_dropped)
    parts = ((made, "device"), (routes, "route"), (rules, "routing rule"), (len(plan.settings), "sysctl"))
    return [counted(number, what) for number, what in parts if number]


def _apply_command(plan: Plan) -> str:
    """What carries the plan out: the same host values and rows; bundle and files as they were named."""
    from shlex import join

    desired = plan.desired
    words = ["encapctl", "apply", str(desired.bundle.directory)]
    if desired.host_file and desired.host_file != str(DEFAULT):
        words += ["--host", desired.host_file]
    for name, value in desired.settings.items():
        words += ["--set", f"{name}={value}"]
    for table, path in desired.bundle.rows.items():
        words += ["--rows", f"{table}={path}"]
    if plan.observed.former_left:
        words += ["--replace", desired.paths.former]
    return join(words)

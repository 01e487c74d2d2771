"""The route device and the sysctls of a bundle, as a plan and the status show them."""

from __future__ import annotations

from typing import Any

from ..kernel.table_routes import PREFERENCE
from ..plan import Plan
from ..status import Status
from . import counted

MOST_NAMED = 5  # prefixes


def plan_lines(plan: Plan, done: bool) -> list[str]:
    """What becomes of the device, its routes and its rule; then sysctls."""
    change, lines = plan.route_device, []
    if change.wanted is not None and change.make:
        lines.append(f"  + device {change.wanted.name} (vxlan, MTU {change.wanted.mtu}), which is routed to")
    elif change.wanted is not None and change.mend:
        lines.append(f"  ~ device {change.wanted.name}: {', '.join(change.mend)}")
    if change.wanted is not None and (change.added or change.dropped):
        routing = change.wanted.routing
        named = _some([str(n) for n in routing.routed])
        left = f", but for {counted(len(routing.thrown), 'prefix', 'prefixes')}" if routing.thrown else ""
        lines.append(f"  ~ routes to {change.wanted.name}: {named}{left}   +{change.added} -{change.dropped}")
    lines += [
        f"  {sign} rule {PREFERENCE} IPv{version}: the routes of the bundle are looked at before the main ones"
        for sign, versions in (("+", change.rules_added), ("-", change.rules_dropped))
        for version in versions
    ]
    lines += [f"  - device {name}" for name in change.deleted]
    word = "set" if done else "would be set"
    return lines + [
        f"  ~ sysctl {name} {before} -> {plan.desired.settings_wanted[name]} ({word}; remove gives it back)"
        for name, before in plan.settings.items()
    ]


def plan_document(plan: Plan) -> dict[str, Any]:
    """The same for programs."""
    change = plan.route_device
    wanted = change.wanted
    return {
        "route_device": {
            "name": wanted.name,
            "mtu": wanted.mtu,
            "port": wanted.port,
            "table": wanted.table,
            "new": change.make,
            "changes": list(change.mend),
            "routed": [str(n) for n in wanted.routing.routed],
            "left_out": [str(n) for n in wanted.routing.thrown],
            "routes_added": change.added,
            "routes_removed": change.dropped,
        }
        if wanted is not None
        else None,
        "devices_deleted": list(change.deleted),
        "settings": [
            {"name": name, "before": before, "value": plan.desired.settings_wanted[name]}
            for name, before in plan.settings.items()
        ],
    }


def status_lines(status: Status) -> list[str]:
    """What is set on the machine beside programs and maps."""
    lines = []
    applied = status.state.route_device if status.state is not None else None
    if applied is not None:
        left = f", but for {counted(len(applied.thrown), 'prefix', 'prefixes')}" if applied.thrown else ""
        lines.append(f"  device {applied.name}, MTU {applied.mtu}: routed to it {_some(applied.routed)}{left}")
    return lines + [
        f"  sysctl {name} = {setting.ours}, {setting.before} before" for name, setting in status.settings.items()
    ]


def status_document(status: Status) -> dict[str, Any]:
    """The same for programs."""
    applied = status.state.route_device if status.state is not None else None
    return {
        "route_device": {
            "name": applied.name,
            "ifindex": applied.index,
            "mtu": applied.mtu,
            "routed": applied.routed,
            "left_out": applied.thrown,
        }
        if applied is not None
        else None,
        "settings": [
            {"name": name, "before": setting.before, "value": setting.ours} for name, setting in status.settings.items()
        ],
    }


def _some(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more or "nothing"

"""The MTU budget as a small table and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..loader.learned_paths import LearnedPath
from ..loader.routing.budget import Budget, DeviceBudget, Headers, RouteBudget
from . import counted

MOST_SHOWN = 5  # routes and paths
MOST_LISTED = 1000  # routes in the document
# ip_sk_use_pmtu of include/net/ip.h; tests/netns/test_pmtudisc.py
BY_DEVICE = "sockets with IP_PMTUDISC_PROBE, INTERFACE or OMIT go by the device's MTU, whatever a route has"


def budget_lines(budget: Budget, learned: Sequence[LearnedPath] = ()) -> list[str]:
    """Each device with what the headers leave of its MTU, what the routes of inner packets allow, then paths."""
    table: list[Sequence[str]] = [("device", "takes", "headers", "add", "leaves", "")]
    for device in budget.devices:
        for number, headers in enumerate(budget.headers):
            first = (_device(device), str(device.mtu)) if number == 0 else ("", "")
            leaves = str(budget.leaves(device, headers))
            table.append(
                (*first, f"{headers.encapsulation} over {headers.outer}", _add(headers), leaves, _use(headers))
            )
    lines = _columns(table)
    if budget.routes:
        table = [("route", "by", "allows", "fits", "")]
        table += [
            (
                route.destination,
                route.device,
                _allows(route),
                str(route.fits),
                f"{route.over} too many" if route.over > 0 else "",
            )
            for route in budget.routes[:MOST_SHOWN]
        ]
        lines += _columns(table)
        more = len(budget.routes) - MOST_SHOWN
        lines += [f"and {counted(more, 'more route')}"] if more > 0 else []
        lines += [BY_DEVICE] if any(route.mtu for route in budget.routes) else []
    if budget.route_device is not None:
        lines.append(f"route device {budget.route_device.name}: {budget.route_device.mtu}, and so fits in every mode")
    for path, count in list(budget.paths.items())[:MOST_SHOWN]:
        lines.append(
            f"path to {counted(count, 'tunnel endpoint')} by {path.destination}: {path.mtu}, as its route says"
        )
    lines += learned_lines(learned)
    return [f"    {'mtu' if number == 0 else '':<5}{line}" for number, line in enumerate(lines)]


def learned_lines(learned: Sequence[LearnedPath]) -> list[str]:
    """What the programs have learned of paths to tunnel endpoints."""
    lines = [f"path to {path.endpoint}: {path.mtu}, learned, for {path.seconds} s" for path in learned[:MOST_SHOWN]]
    more = len(learned) - MOST_SHOWN
    return [*lines, f"and {counted(more, 'more path')} learned"] if more > 0 else lines


def learned_document(learned: Sequence[LearnedPath]) -> list[dict[str, Any]]:
    """The same for programs, all of them."""
    return [{"endpoint": str(path.endpoint), "mtu": path.mtu, "seconds": path.seconds} for path in learned]


def budget_document(budget: Budget | None, learned: Sequence[LearnedPath] = ()) -> dict[str, Any] | None:
    """The same for programs."""
    if budget is None:
        return None
    return {
        "devices": [
            {
                "name": device.name,
                "mtu": device.mtu,
                "over": device.over or None,
                "over_mtu": device.over_mtu or None,
                "headers": [
                    {
                        "encapsulation": headers.encapsulation,
                        "outer_family": headers.outer,
                        "overhead": headers.overhead,
                        "least_overhead": headers.least,
                        "sent": headers.sent,
                        "used": headers.used,
                        "leaves": budget.leaves(device, headers),
                    }
                    for headers in budget.headers
                ],
            }
            for device in budget.devices
        ],
        "routes": [
            {
                "destination": route.destination,
                "device": route.device,
                "mtu": route.mtu or None,
                "allows": route.allows,
                "fits": route.fits,
            }
            for route in budget.routes[:MOST_LISTED]
        ],
        "routes_total": len(budget.routes),
        "route_device": {"name": budget.route_device.name, "mtu": budget.route_device.mtu}
        if budget.route_device is not None
        else None,
        "paths": [
            {"destination": path.destination, "mtu": path.mtu, "endpoints": count}
            for path, count in list(budget.paths.items())[:MOST_LISTED]
        ],
        "learned_paths": learned_document(learned),
    }


def _device(device: DeviceBudget) -> str:
    return f"{device.name} (over {device.over}, {device.over_mtu})" if device.over else device.name


def _add(headers: Headers) -> str:
    return f"{headers.least}-{headers.overhead}" if headers.least < headers.overhead else str(headers.overhead)


def _use(headers: Headers) -> str:
    if not headers.sent:
        return "received only"
    return "" if headers.used else "no row"


def _allows(route: RouteBudget) -> str:
    return str(route.allows) if route.mtu else f"{route.allows}, the device's"


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Text left, numbers right."""
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    right = [all(row[n][:1].isdigit() or not row[n] for row in rows[1:]) and n > 0 for n in range(len(rows[0]))]
    return [
        "  ".join(
            f"{cell:>{w}}" if r else f"{cell:<{w}}" for cell, w, r in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in rows
    ]

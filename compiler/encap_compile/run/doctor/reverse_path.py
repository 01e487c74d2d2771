"""Strict rp_filter where packets are decapsulated in place (H180).

The kernel checks the source of the decapsulated packet: with `rp_filter` 1 it drops one whose route leads elsewhere
than by the device that it came in by. Of `conf/all` and `conf/DEVICE` the larger value holds (ip-sysctl.rst).
"""

from __future__ import annotations

from collections.abc import Iterator

from ...common.diagnostics import Diagnostic, Severity
from ..kernel.sysctls import read_sysctl
from ..loader.deployment import Deployment
from ..loader.routing import RouteReport
from ..loader.routing.report import listed

_STRICT = 1


def check(deployment: Deployment, routes: RouteReport) -> Iterator[Diagnostic]:
    """For each attached device, the routes of IPv4 that lead over others."""
    if routes.budget is None or not any(r.action == "decapsulate" for r in deployment.manifest.rules):
        return
    for device in deployment.machine.attached:
        if effective(device.name) != _STRICT:
            continue
        elsewhere = [
            route.destination
            for route in routes.budget.routes
            if route.version == 4 and device.name not in route.seen_by
        ]
        if elsewhere:
            words = (
                f"{device.name} has strict rp_filter: what is decapsulated there from {listed(elsewhere)} is dropped, "
            )
            words += "because the route back leads over another device"
            fix = f"`sysctl -w net.ipv4.conf.{_path(device.name)}.rp_filter=2`, and the same in /etc/sysctl.d"
            yield Diagnostic("H180", words, help=fix, severity=Severity.WARNING)


def effective(device: str) -> int:
    """The value that holds for a device."""
    return max(int(read_sysctl(f"net/ipv4/conf/{name}/rp_filter") or 0) for name in ("all", device))


def _path(device: str) -> str:
    """A device as `sysctl` takes it: a dot in its name is written as a slash."""
    return device.replace(".", "/")

"""TCP that learns by nothing but its own probes what fits (H183).

Only `tcp_mtu_probing` 2 helps, which begins with small segments. With 1 the kernel tries smaller ones after segments
were lost on the way; a lone segment that the program drops was never sent for TCP, which tries it again as it is, 16
times (measured on 6.18).
"""

from __future__ import annotations

from collections.abc import Iterator

from ...common.diagnostics import Diagnostic, Severity
from ..kernel.sysctls import read_sysctl
from ..loader.deployment import Deployment
from ..loader.routing import RouteReport

_SETTING = "net.ipv4.tcp_mtu_probing"  # of IPv6 too
_TCP = "6"


def check(deployment: Deployment, routes: RouteReport) -> Iterator[Diagnostic]:
    """Where the MSS stays as it is, nobody answers, and a route allows packets that do not fit."""
    manifest = deployment.manifest
    answers = any(c.name == "egress_answered" for c in manifest.counters)
    if answers or routes.budget is None or (value := read_sysctl(_SETTING.replace(".", "/"))) in (None, "2"):
        return
    kept = [
        rule.name
        for rule in manifest.rules
        if rule.direction == "egress"
        and rule.action in ("encapsulate", "socket", "reflect")
        and not rule.fits_tcp
        and rule.match.get("protocol", (_TCP,)) == (_TCP,)
    ]
    too_much = [route for route in routes.budget.routes if route.over > 0]
    if kept and too_much:
        words = f"{_SETTING} is {value}, and the spec neither lowers the MSS nor answers what is too big: "
        words += f"TCP connections to {too_much[0].destination} stall and end (rule {kept[0]})"
        fix = f"`sysctl -w {_SETTING}=2`, and the same in /etc/sysctl.d; or give the routes an mtu (H111)"
        yield Diagnostic("H183", words, help=fix, severity=Severity.WARNING)

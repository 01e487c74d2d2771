"""A machine without path MTU discovery, where only the program's ICMP would say what fits (H182)."""

from __future__ import annotations

from collections.abc import Iterator

from ...common.diagnostics import Diagnostic, Severity
from ..kernel.sysctls import read_sysctl
from ..loader.deployment import Deployment
from ..loader.routing import RouteReport

_SETTING = "net.ipv4.ip_no_pmtu_disc"
_MEANS = {  # ip-sysctl.rst
    "1": "IPv4 packets leave without DF, and nobody may be told that such a packet is too big",
    "2": "the kernel ignores ICMP that says what fits",
    "3": "only protocols that check ICMP strictly, as TCP does, take what it says",
}


def check(deployment: Deployment, routes: RouteReport) -> Iterator[Diagnostic]:
    """Where the program answers, and a route allows packets that do not fit."""
    answers = any(c.name == "egress_answered" for c in deployment.manifest.counters)
    value = read_sysctl(_SETTING.replace(".", "/")) or "0"
    if not answers or value not in _MEANS or routes.budget is None:
        return
    too_much = [route for route in routes.budget.routes if route.version == 4 and route.over > 0]
    if too_much:
        words = f"{_SETTING} is {value}: {_MEANS[value]}, so packets to {too_much[0].destination} of more than "
        words += f"{too_much[0].fits} bytes are lost"
        fix = f"`sysctl -w {_SETTING}=0`, and the same in /etc/sysctl.d; or give the routes an mtu (H111)"
        yield Diagnostic("H182", words, help=fix, severity=Severity.WARNING)

"""A route device that was applied, and to which packets do not come any more: their prefixes are unreachable."""

from __future__ import annotations

from ...common.diagnostics import Diagnostic, Severity
from ..loader.route_device.drift import drift_of_route_device
from ..plan import Plan


def broken_route_device(plan: Plan) -> list[Diagnostic]:
    """H200, one for each thing that is not as the last apply left it. Raises KernelError."""
    state = plan.observed.state
    if state is None or state.route_device is None:
        return []
    gone = [f"route device {state.route_device.name} is gone"] if plan.route_device.make else []
    help = "`encapctl apply` with the same options makes it again; `encapctl run` does so by itself"
    drift = [*gone, *drift_of_route_device(state)]
    return [Diagnostic("H200", sentence, help=help, severity=Severity.WARNING) for sentence in drift]

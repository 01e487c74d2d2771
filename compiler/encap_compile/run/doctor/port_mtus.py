"""An attached bridge, bond or team whose port takes less than it does (H184).

Packets are made to fit the attached device. A bridge drops what is too long for a port without a word.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...common.diagnostics import Diagnostic, Severity
from ..kernel.devices import devices
from ..loader.deployment import Deployment
from ..loader.routing import RouteReport
from ..loader.routing.report import listed


def check(deployment: Deployment, routes: RouteReport) -> Iterator[Diagnostic]:
    """Each attached device with a smaller port."""
    if routes.budget is None:
        return
    everything = devices().values()
    for device in deployment.machine.attached:
        smaller = [d for d in everything if d.master == device.index and d.master_kind != "vrf" and d.mtu < device.mtu]
        if smaller:
            named = listed([f"{port.name} {port.mtu}" for port in smaller])
            words = (
                f"{device.name} takes {device.mtu} bytes, and its ports less ({named}): outer packets between are lost"
            )
            fix = f"`ip link set {device.name} mtu {min(port.mtu for port in smaller)}`, or raise the MTU of the ports"
            yield Diagnostic("H184", words, help=fix, severity=Severity.WARNING)

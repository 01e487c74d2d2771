"""Settings of the machine by which packets are lost, whatever the programs do."""

from __future__ import annotations

from ...common.diagnostics import Diagnostic
from ..loader.deployment import Deployment
from ..loader.routing import RouteReport
from . import merged_datagrams, mtu_probing, path_mtu_discovery, port_mtus, reverse_path

CHECKS = {
    "reverse path": reverse_path.check,
    "merged datagrams": merged_datagrams.check,
    "path MTU discovery": path_mtu_discovery.check,
    "MTU probing": mtu_probing.check,
    "MTU of ports": port_mtus.check,
}


def check_settings(deployment: Deployment, routes: RouteReport) -> list[Diagnostic]:
    """What all checks find."""
    return [found for check in CHECKS.values() for found in check(deployment, routes)]

"""Tunnel datagrams that the device merges before they are decapsulated (H181).

Behind `rx-udp-gro-forwarding` (5.12) or `rx-gro-list` (5.6) several tunnel datagrams arrive as one GSO packet, under
one outer header. The others stand in its payload, so it cannot be decapsulated, and is refused (`gso`).
"""

from __future__ import annotations

from collections.abc import Iterator

from ...common.diagnostics import Diagnostic, Severity
from ..kernel.device_features import Features
from ..loader.deployment import Deployment
from ..loader.routing import RouteReport

MERGING = ("rx-udp-gro-forwarding", "rx-gro-list")
_UDP = "17"


def check(deployment: Deployment, _: RouteReport) -> Iterator[Diagnostic]:
    """Each attached device that merges, where what is received lies in UDP."""
    manifest = deployment.manifest
    received = any(r.action == "decapsulate" for r in manifest.rules)
    if not received or not any(_UDP in signature.split() for signature in manifest.signatures.values()):
        return
    with Features() as features:
        for device in deployment.machine.attached:
            merging = [name for name in MERGING if name in features.on(device.name)]
            if merging:
                words = (
                    f"{device.name} merges UDP datagrams ({', '.join(merging)}): several tunnel datagrams in one GSO "
                )
                words += "packet cannot be decapsulated, and are refused"
                fix = f"`ethtool -K {device.name} {' '.join(f'{name} off' for name in merging)}`"
                yield Diagnostic("H181", words, help=fix, severity=Severity.WARNING)

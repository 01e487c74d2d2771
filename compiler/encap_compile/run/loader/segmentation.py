"""Devices that are given GSO packets, where the bundle has headers that the kernel cannot write in each segment."""

from __future__ import annotations

from ...common.diagnostics import Findings
from ...common.manifest import Manifest
from ..host_values import Machine

COUNTER = "egress_gso"  # is there if the bundle drops GSO packets


def check_segmentation(manifest: Manifest, machine: Machine, findings: Findings) -> None:
    """H170 for each device by which local connections may send GSO packets that the bundle would drop."""
    if not any(counter.name == COUNTER for counter in manifest.counters):
        return
    names = dict.fromkeys(s.encapsulation for s in manifest.stacks if s.per_segment)
    for device in machine.attached:
        if device.gso_max_segs != 1:
            words = f"{device.name} takes GSO packets, and those for {', '.join(names)} are dropped (`{COUNTER}`)"
            findings.warning(
                "H170", words, help=f"`ip link set dev {device.name} gso_max_segs 1`, and GRO off where they come in"
            )

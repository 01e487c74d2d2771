"""`receive: {gro: device}` needs headers for which the kernel has such devices."""

from __future__ import annotations

from ...common.diagnostics import Findings
from ..headers.catalogue import headers
from ..spec import Spec

_BEHIND_UDP = 2  # as `description.tunnel_ports` has it


def check(spec: Spec, findings: Findings) -> None:
    """E592: no ingress rule decapsulates such a header."""
    known = headers()
    stacks = [spec.encapsulations[r.decapsulate] for r in spec.ingress.rules if r.decapsulate in spec.encapsulations]
    names = [use.name for stack in stacks for use in stack.headers[_BEHIND_UDP : _BEHIND_UDP + 1]]
    if spec.receive.gro_device and not any(known[name].merged_by for name in names if name in known):
        able = " or ".join(name for name, header in known.items() if header.merged_by)
        words = f"`gro: device` merges nothing: no ingress rule decapsulates {able}"
        findings.error("E592", words, spec.receive.place, "leave `receive` out")

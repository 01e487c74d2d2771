"""A spec that does something."""

from __future__ import annotations

from ...common.diagnostics import Findings
from ..spec import Spec


def check(spec: Spec, findings: Findings) -> None:
    """E519 no rule that encapsulates, drops or decapsulates."""
    if not spec.egress.rules and not spec.ingress.rules and spec.egress.default == "pass":
        help = "add a rule under `egress:` or `ingress:`"
        findings.error("E519", "there is no rule, so every packet passes unchanged", spec.place, help)

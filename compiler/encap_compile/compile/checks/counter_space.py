"""How many counters one program can hold. Lowering decides where each stands, so this is checked after it."""

from __future__ import annotations

from ...common.diagnostics import Findings
from ...common.manifest_bounds import MOST_COUNTERS
from ..spec import Spec


def check(spec: Spec, count: int, size: int, findings: Findings) -> None:
    """E522 counters that the kernel has no map for. `size` is in bytes."""
    if size <= MOST_COUNTERS:
        return
    words = f"{count} counters take {size} bytes, and the kernel gives a map of counters {MOST_COUNTERS} at most"
    fix = (
        "a rule has up to two counters, and an encapsulation that is received more than a dozen. Let one rule lead\n"
        "to a table, and rows choose among encapsulations; where headers differ in a value, a row can say it:\n"
        "  gre: [{ip: {source: host.vtep, destination: endpoint.to}}, {gre: {key: endpoint.key}}]"
    )
    findings.error("E522", words, spec.name_place, fix)

"""How many counters one program can hold. Lowering decides where each stands, so this is checked after it."""

from __future__ import annotations

from ...common.diagnostics import Findings
from ...common.manifest_bounds import MOST_COUNTERS_OF_ALL
from ..spec import Spec


def check(spec: Spec, count: int, size: int, findings: Findings) -> None:
    """E522 counters that would take too much of every CPU's memory. `size` is in bytes, of all entries of their map."""
    if size <= MOST_COUNTERS_OF_ALL:
        return
    words = f"{count} counters take {size} bytes for each CPU, and {MOST_COUNTERS_OF_ALL} are the most"
    fix = (
        "an encapsulation that is received has more than a dozen counters, a rule up to two. Where headers differ in\n"
        "a value, a row can say it, and one encapsulation is enough:\n"
        "  gre: [{ip: {source: host.vtep, destination: endpoint.to}}, {gre: {key: endpoint.key}}]"
    )
    findings.error("E522", words, spec.name_place, fix)

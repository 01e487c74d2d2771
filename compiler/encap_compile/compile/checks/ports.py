"""Ports are matched where there are ports."""

from __future__ import annotations

from ...common.diagnostics import Findings
from ...common.value_names import PROTOCOL_NAMES, PROTOCOLS_WITH_PORTS
from ..resolved.matches import matches
from ..spec import Spec


def check(spec: Spec, findings: Findings) -> None:
    """E503 a port match without `protocol`, or with one that has no ports."""
    for name, match in matches(spec):
        if not match.destination_port and not match.source_port:
            continue
        without = [PROTOCOL_NAMES.get(p, str(p)) for p in match.protocol if p not in PROTOCOLS_WITH_PORTS]
        if not match.protocol:
            words = f"rule {name} matches ports of no protocol"
            findings.error("E503", words, match.place, "add `protocol: tcp`, or `protocol: [tcp, udp]`")
        elif without:
            words = f"rule {name} matches ports of {', '.join(without)}, which has none"
            findings.error(
                "E503", words, match.place, "match tcp, udp or sctp here, and the others in a rule of their own"
            )

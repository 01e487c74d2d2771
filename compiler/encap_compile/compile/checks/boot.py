"""`boot: closed` needs prefixes that can be closed, and must leave the machine reachable."""

from __future__ import annotations

from ...common.diagnostics import Findings
from ..spec import EgressRule, Match, Spec


def check(spec: Spec, findings: Findings) -> None:
    """E590: no rule that encapsulates names a prefix. E591: one names all addresses."""
    egress = spec.egress
    if egress.boot != "closed":
        return
    named = [(r, r.match.destination) for r in egress.rules if _closes(r) and r.match.destination]
    if not any(destination.prefixes for _, destination in named):
        words = "`boot: closed` closes nothing: no rule that encapsulates names a destination"
        findings.error("E590", words, egress.boot_place, "name the prefixes in `match: {destination: ...}`")
    for rule, destination in named:
        whole = next((p for p in destination.prefixes if p.prefixlen == 0), None)
        if whole is not None:
            words = f"rule {rule.name}: `boot: closed` would close {whole}, and with it the machine"
            help = "name narrower prefixes, or leave `boot: closed` out"
            findings.error("E591", words, destination.place, help)


def _closes(rule: EgressRule) -> bool:
    """As `run.loader.closing` has it: rules that encapsulate, and those that drop by nothing but the destination."""
    if rule.action == "drop":
        return rule.match == Match(destination=rule.match.destination)
    return rule.action is None

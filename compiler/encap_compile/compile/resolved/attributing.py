"""Which rules attribute packets to sockets or cgroups. Of any spec, also before it is checked."""

from __future__ import annotations

from ..spec import EgressRule, Spec


def attributes(rule: EgressRule, spec: Spec) -> bool:
    """Whether the rule asks which socket or cgroup a packet comes from."""
    return bool(rule.socket or rule.match.cgroup) or finds_by_cgroup(rule, spec)


def finds_by_cgroup(rule: EgressRule, spec: Spec) -> bool:
    """Whether the rule finds its row by a cgroup."""
    return any("cgroup" in spec.endpoints[t.table].key for t in rule.targets if t.table in spec.endpoints)


def attributing_rules(spec: Spec) -> list[EgressRule]:
    return [rule for rule in spec.egress.rules if attributes(rule, spec)]

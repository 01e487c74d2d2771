"""Which parts of a spec decide on packets, and which of them a test has met."""

from __future__ import annotations

from dataclasses import replace

from ..model import Outcome
from ..spec import Egress, EgressRule, Match, Spec
from ..spec_tests import PacketTest, Way

DEFAULT = "default"  # the name by which outcomes call it
EGRESS_DEFAULT = "egress.default"
_RULES = {Way.LEAVES: "egress.rules", Way.ARRIVES: "ingress.rules", Way.CONNECTS: "connect.rules"}


def covered_paths(spec: Spec) -> tuple[str, ...]:
    """The paths of all rules, and of the default where a packet can come to it."""
    default = (EGRESS_DEFAULT,) if spec.egress.rules and not _ends(spec.egress) else ()
    leaving = (*(r.path for r in spec.connect), *(r.path for r in spec.egress.rules))
    return (*leaving, *default, *(r.path for r in spec.ingress.rules))


def met_by(test: PacketTest, outcome: Outcome) -> str:
    """The path of what decided; it is no rule's where nothing did."""
    if test.way is Way.LEAVES and outcome.rule == DEFAULT:
        return EGRESS_DEFAULT
    return f"{_RULES[test.way]}.{outcome.rule}"


def _ends(egress: Egress) -> bool:
    """Whether of both families rules decide on everything that comes to them."""
    return all(any(_is_all(rule.match, version) and _decides(rule) for rule in egress.rules) for version in (4, 6))


def _is_all(match: Match, version: int) -> bool:
    """Whether every packet of a family meets it."""
    for addresses in (match.destination, match.source):
        if addresses is not None and not any(p.version == version and not p.prefixlen for p in addresses.prefixes):
            return False
    return replace(match, destination=None, source=None) == Match()


def _decides(rule: EgressRule) -> bool:
    return rule.action is not None or (rule.to is not None and rule.on_miss != "next")

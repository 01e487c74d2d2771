"""The route device: something is routed to it, and nothing else is sent to its prefixes."""

from __future__ import annotations

from collections.abc import Sequence

from ...common.diagnostics import Findings
from ..resolved.coverage import Coverage
from ..resolved.routed import Routed, by_destination_alone, routed_rules
from ..spec import EgressRule, Spec

RESERVED = ("all", "default", "lo")  # net.ipv4.conf.all and .default; loopback


def check(spec: Spec, findings: Findings) -> None:
    """E595 nothing routed, E596 a reserved name, W596 and W597 packets that are dropped there."""
    device = spec.route_device
    if device is None:
        return
    if device.name in RESERVED:
        findings.error("E596", f"no device of ours can be called `{device.name}`", device.place, "write encap0")
    if device.name.startswith("host."):
        words = f"`{device.name}` would be the name itself: a route device is called the same on every machine"
        findings.error("E596", words, device.place, "`encapctl apply` makes the device; write its name, such as encap0")
    routed = routed_rules(spec)
    if not routed:
        words = f"nothing is routed to {device.name}: no rule with `to` can be told by its destination"
        findings.error("E595", words, device.place, "name a `destination` in its match, or leave `route_device` out")
    coverage = Coverage()
    for found in routed:
        _rest(found, _behind(spec, found), device.name, coverage, findings)
    _passed(spec, routed, device.name, coverage, findings)


def _behind(spec: Spec, found: Routed) -> Sequence[EgressRule]:
    names = [rule.name for rule in spec.egress.rules]
    return spec.egress.rules[names.index(found.rule.name) + 1 :]


def _rest(found: Routed, behind: Sequence[EgressRule], device: str, coverage: Coverage, findings: Findings) -> None:
    """What is routed there and the rule does not take is taken by a rule behind it."""
    rule = found.rule
    if by_destination_alone(rule.match):
        return
    same_destination = rule.match.destination
    for other in behind:
        wide = other.match.destination
        takes = other.to is not None or other.action == "drop"
        if not takes or not by_destination_alone(other.match):
            continue
        if wide is None or (same_destination is not None and coverage.addresses_cover(wide, same_destination)):
            return
    words = f"rule {rule.name} asks for more than a destination, and all packets to it are routed to {device}"
    help = f"what no rule encapsulates is dropped on {device}: write a rule for the rest of its destinations"
    findings.warning("W596", words, rule.place, help)


def _passed(spec: Spec, routed: Sequence[Routed], device: str, coverage: Coverage, findings: Findings) -> None:
    """A rule that passes, before one that is routed, asks for the destination alone."""
    names = [rule.name for rule in spec.egress.rules]
    for rule in spec.egress.rules:
        if rule.action != "pass" or by_destination_alone(rule.match):
            continue
        later = (found for found in routed if names.index(found.rule.name) > names.index(rule.name))
        meets = next((found for found in later if _meet(rule, found, coverage)), None)
        if meets is not None:
            words = f"rule {rule.name} passes packets that are routed to {device}, by rule {meets.rule.name}"
            help = f"they are dropped on {device}: pass whole destinations, or leave `route_device` out"
            findings.warning("W597", words, rule.place, help)


def _meet(rule: EgressRule, found: Routed, coverage: Coverage) -> bool:
    """Whether a rule may be for packets that are routed there."""
    mine, theirs = rule.match.destination, found.rule.match.destination
    if mine is None or theirs is None:
        return True
    return any(
        one.version == other.version and one.overlaps(other) for one in mine.prefixes for other in theirs.prefixes
    )

"""Rules that an earlier rule leaves nothing."""

from __future__ import annotations

from collections.abc import Iterator

from ..diagnostics import Findings
from ..spec import Addresses, AnySource, EgressRule, IngressRule, Spec, TableField
from .coverage import Coverage

LONG = 64  # prefixes: such a rule is compared with every later one, through its index
Source = Addresses | TableField | AnySource


def check(spec: Spec, findings: Findings) -> None:
    """E501 the same condition twice, W502 a condition within an earlier one."""
    coverage = Coverage()
    _egress(spec.egress.rules, coverage, findings)
    _ingress(spec.ingress.rules, coverage, findings)


def _egress(rules: tuple[EgressRule, ...], coverage: Coverage, findings: Findings) -> None:
    # An earlier rule that covers a later one covers its first destination: so it is either without destinations, or
    # has a prefix that contains that one. This keeps thousands of rules far from comparing every pair.
    anywhere: list[EgressRule] = []
    by_prefix: dict[tuple[int, int, int], list[EgressRule]] = {}
    for rule in rules:
        earlier = [*anywhere, *_by_destination(rule, by_prefix)]
        for other in earlier:
            if coverage.covers(other.match, rule.match):
                _say(other, rule, coverage.covers(rule.match, other.match), findings)
                break
        if rule.to is not None and rule.on_miss == "next":
            continue  # what its table has no row for goes on to the later rule
        if rule.match.destination is None or len(rule.match.destination.prefixes) > LONG:
            anywhere.append(rule)
            continue
        for prefix in rule.match.destination.prefixes:
            key = (prefix.version, prefix.prefixlen, int(prefix.network_address))
            by_prefix.setdefault(key, []).append(rule)


def _by_destination(rule: EgressRule, by_prefix: dict[tuple[int, int, int], list[EgressRule]]) -> Iterator[EgressRule]:
    if rule.match.destination is None or not rule.match.destination.prefixes or not by_prefix:
        return
    first = rule.match.destination.prefixes[0]
    number = int(first.network_address)
    for length in range(first.prefixlen + 1):
        host_bits = first.max_prefixlen - length
        yield from by_prefix.get((first.version, length, number >> host_bits << host_bits), ())


def _ingress(rules: tuple[IngressRule, ...], coverage: Coverage, findings: Findings) -> None:
    for i, rule in enumerate(rules):
        for other in rules[:i]:
            if other.decapsulate != rule.decapsulate or (other.lookup is not None and other.lookup != rule.lookup):
                continue
            if _source_covers(other.source, rule.source, coverage) and coverage.covers(other.match, rule.match):
                same = _source_covers(rule.source, other.source, coverage) and coverage.covers(rule.match, other.match)
                _say(other, rule, same, findings)
                break


def _source_covers(wide: Source, narrow: Source, coverage: Coverage) -> bool:
    if isinstance(wide, AnySource):
        return True
    if isinstance(wide, TableField):
        return wide == narrow
    return isinstance(narrow, Addresses) and coverage.addresses_cover(wide, narrow)


def _say(other: EgressRule | IngressRule, rule: EgressRule | IngressRule, same: bool, findings: Findings) -> None:
    if same:
        words = f"rule {rule.name} matches exactly what rule {other.name} matches, and never gets its turn"
        related = ((other.place, "the first match wins"),)
        findings.error("E501", words, rule.place, "delete one, or tell them apart", related=related)
    else:
        words = f"rule {rule.name} never gets its turn: rule {other.name} (line {other.place.line}) matches all of it"
        findings.warning("W502", words, rule.place, f"put it before {other.name}, or delete it")

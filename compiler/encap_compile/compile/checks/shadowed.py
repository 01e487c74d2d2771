"""Rules that an earlier rule leaves nothing."""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter
from typing import Generic, TypeVar

from ...common.diagnostics import Findings
from ..resolved.coverage import Coverage
from ..spec import Addresses, AnySource, EgressRule, IngressRule, Spec, TableField
from .rule_count import MOST_RULES

LONG = 64  # prefixes: such a rule is compared with every later one, through its index
Rule = TypeVar("Rule")
Source = Addresses | TableField | AnySource


def check(spec: Spec, findings: Findings) -> None:
    """E501 the same condition twice, W502 a condition within an earlier one."""
    coverage = Coverage()
    # Of more rules it is enough to say that they are too many.
    _egress(spec.egress.rules[:MOST_RULES], coverage, findings)
    _ingress(spec.ingress.rules[:MOST_RULES], coverage, findings)


def _egress(rules: tuple[EgressRule, ...], coverage: Coverage, findings: Findings) -> None:
    earlier = _Earlier[EgressRule]()
    for rule in rules:
        for other in earlier.that_may_cover(rule.match.destination):
            if coverage.covers(other.match, rule.match):
                _say(other, rule, coverage.covers(rule.match, other.match), findings)
                break
        if rule.reflect is not None or rule.socket or (rule.to is not None and rule.on_miss == "next"):
            continue  # an unknown flow, what no socket chose, what the table has no row for: on to the later rule
        earlier.add(rule, rule.match.destination)


def _ingress(rules: tuple[IngressRule, ...], coverage: Coverage, findings: Findings) -> None:
    earlier = _Earlier[IngressRule]()
    for rule in rules:
        source = rule.source if isinstance(rule.source, Addresses) else None
        for other in earlier.that_may_cover(source):
            if other.decapsulate != rule.decapsulate or (other.lookup is not None and other.lookup != rule.lookup):
                continue
            if _source_covers(other.source, rule.source, coverage) and coverage.covers(other.match, rule.match):
                same = _source_covers(rule.source, other.source, coverage) and coverage.covers(rule.match, other.match)
                _say(other, rule, same, findings)
                break
        earlier.add(rule, source)


class _Earlier(Generic[Rule]):
    """The rules before one, found by their addresses.

    A rule that covers a later one covers the first of its addresses: so it is either without addresses, or has a prefix
    that contains that one. This keeps hundreds of rules far from comparing every pair.
    """

    def __init__(self) -> None:
        self.count = 0
        self.anywhere: list[tuple[int, Rule]] = []
        self.by_prefix: dict[tuple[int, int, int], list[tuple[int, Rule]]] = {}

    def add(self, rule: Rule, addresses: Addresses | None) -> None:
        entry = (self.count, rule)
        self.count += 1
        if addresses is None or len(addresses.prefixes) > LONG:
            self.anywhere.append(entry)
            return
        for prefix in addresses.prefixes:
            key = (prefix.version, prefix.prefixlen, int(prefix.network_address))
            self.by_prefix.setdefault(key, []).append(entry)

    def that_may_cover(self, addresses: Addresses | None) -> Iterator[Rule]:
        """In the order of the rules."""
        found = list(self.anywhere)
        if addresses is not None and addresses.prefixes and self.by_prefix:
            first = addresses.prefixes[0]
            number = int(first.network_address)
            for length in range(first.prefixlen + 1):
                host_bits = first.max_prefixlen - length
                found += self.by_prefix.get((first.version, length, number >> host_bits << host_bits), ())
        yield from (rule for _, rule in sorted(found, key=itemgetter(0)))


def _source_covers(wide: Source, narrow: Source, coverage: Coverage) -> bool:
    if isinstance(wide, AnySource):
        return True
    if isinstance(wide, TableField):
        return wide == narrow
    return isinstance(narrow, Addresses) and coverage.addresses_cover(wide, narrow)


def _say(other: EgressRule | IngressRule, rule: EgressRule | IngressRule, same: bool, findings: Findings) -> None:
    if same:
        words = f"rule {rule.name} matches exactly what rule {other.name} matches, and never applies"
        related = ((other.place, "the first match wins"),)
        findings.error("E501", words, rule.place, "delete one, or make them different", related=related)
    else:
        words = f"rule {rule.name} never applies: rule {other.name} (line {other.place.line}) matches all of it"
        findings.warning("W502", words, rule.place, f"put it before {other.name}, or delete it")

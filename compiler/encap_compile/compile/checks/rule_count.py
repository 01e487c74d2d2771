"""How many rules one program can hold: what grows is a table, not the list of rules."""

from __future__ import annotations

from collections.abc import Sequence

from ...common.diagnostics import Findings, Place
from ..resolved.matches import INLINE_PREFIXES
from ..spec import Addresses, EgressRule, IngressRule, Match, Spec

# A program's jumps reach 32767 instructions, in the object and after the verifier has rewritten it. That ends before
# counters do. Measured on 6.18 with two outer families, a rule that matches a prefix takes 18 instructions to drop, 33
# to encapsulate; with a protocol, a port and a range too, 30 and 45 to 55. 1000 rules of the first kind load, in 33001
# instructions that take 45 s to compile; of the second 700 do, in 31006, and 1000 do not compile. MOST_RULES of every
# kind that was tried load on 5.10, 6.1 and 6.18.
MOST_RULES = 500
MOST_COMPARISONS = 4000
MANY_RULES = MOST_RULES // 2
Rules = Sequence[EgressRule] | Sequence[IngressRule]


def check(spec: Spec, findings: Findings) -> None:
    """E520 more rules than a program can hold, W521 more than half of that."""
    _validate("egress", spec.egress.rules, spec.egress.place, findings)
    _validate("ingress", spec.ingress.rules, spec.ingress.place, findings)


def _validate(direction: str, rules: Rules, place: Place, findings: Findings) -> None:
    count = len(rules)
    if count > MOST_RULES:
        words = f"{count} {direction} rules, and {MOST_RULES} is the most"
        findings.error("E520", words, rules[MOST_RULES].place, _way_out(direction))
        return
    comparisons = 0
    for rule in rules:
        comparisons += _comparisons(rule.match)
        if isinstance(rule, IngressRule) and isinstance(rule.source, Addresses):
            comparisons += _prefixes(rule.source)
        if comparisons > MOST_COMPARISONS:
            words = f"the {direction} rules up to here match more than {MOST_COMPARISONS} prefixes, ports and the like"
            help = f"a range of ports counts as one, and so does a list of more than {INLINE_PREFIXES} prefixes"
            findings.error("E520", words, rule.place, help)
            return
    if count > MANY_RULES:
        words = f"{count} {direction} rules; {MOST_RULES} is the most"
        findings.warning("W521", words, place, _way_out(direction))


def _comparisons(match: Match) -> int:
    values = len(match.protocol) + len(match.destination_port) + len(match.source_port)
    return values + len(match.dscp) + len(match.mark) + _prefixes(match.destination) + _prefixes(match.source)


def _prefixes(addresses: Addresses | None) -> int:
    count = len(addresses.prefixes) if addresses else 0
    return count if count <= INLINE_PREFIXES else 1


def _way_out(direction: str) -> str:
    if direction == "ingress":
        return (
            "let a table say what differs: `from: TABLE.FIELD` for the senders, `lookup: TABLE` for tenants and\n"
            "their marks; then one rule is enough"
        )
    return (
        "for rules that differ in their destination, write one rule, and a table whose rows are the destinations:\n"
        "  sites: {key: destination, fields: {address: ip}, encapsulation: ..., file: sites.csv, capacity: 100000}\n"
        "  - {name: sites, match: {destination: 10.0.0.0/8}, to: sites}\n"
        "to drop or pass many prefixes, one rule with a set: a set is one lookup, however long it is"
    )

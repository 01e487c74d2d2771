"""Long lists of prefixes of both families: one of IPv6 must not take IPv4 addresses."""

from __future__ import annotations

from collections.abc import Iterator

from ...common.diagnostics import Findings
from ...common.rows.covering import covers_ipv4, problem
from ..resolved.matches import INLINE_PREFIXES
from ..spec import Addresses, Match, Spec


def check(spec: Spec, findings: Findings) -> None:
    """E631. Short lists are compared one by one, each prefix with addresses of its own family."""
    seen: set[int] = set()
    for addresses in _lists(spec):
        if len(addresses.prefixes) <= INLINE_PREFIXES or id(addresses) in seen:
            continue
        seen.add(id(addresses))
        if any(p.version == 4 and not p.prefixlen for p in addresses.prefixes):
            continue
        for prefix in addresses.prefixes:
            if prefix.version == 6 and covers_ipv4(prefix.network_address.packed, prefix.prefixlen):
                found = problem(str(prefix))
                findings.error(found.code, found.message, addresses.place, found.help)


def _lists(spec: Spec) -> Iterator[Addresses]:
    matches: list[Match] = [rule.match for rule in spec.egress.rules]
    matches += [rule.match for rule in spec.ingress.rules]
    matches += [rule.match for rule in spec.connect]
    for match in matches:
        yield from (a for a in (match.destination, match.source) if a is not None)
    for rule in spec.ingress.rules:
        if isinstance(rule.source, Addresses):
            yield rule.source

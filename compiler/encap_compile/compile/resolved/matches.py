"""What matches say of the packets that meet them. Of any spec, also before it is checked."""

from __future__ import annotations

from collections.abc import Iterator

from ..spec import Addresses, Match, Spec

INLINE_PREFIXES = 8  # more than these are looked up in a trie instead of compared one by one


def matches(spec: Spec) -> Iterator[tuple[str, Match]]:
    """(rule name, match) of the rules of all directions."""
    yield from ((rule.name, rule.match) for rule in spec.connect)
    yield from ((rule.name, rule.match) for rule in spec.egress.rules)
    yield from ((rule.name, rule.match) for rule in spec.ingress.rules)


def families_of(match: Match) -> tuple[str, ...]:
    """The families of the packets that can meet a match."""
    versions = {4, 6}
    for addresses in (match.destination, match.source):
        if addresses is not None:
            versions &= {prefix.version for prefix in addresses.prefixes}
    return tuple(f"ipv{version}" for version in sorted(versions))


def is_long(addresses: Addresses) -> bool:
    """Whether a list of prefixes is looked up in a trie."""
    return len(addresses.prefixes) > INLINE_PREFIXES

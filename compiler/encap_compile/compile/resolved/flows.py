"""Which encapsulations the packets of one TCP flow can take: rules may take some of them and leave others."""

from __future__ import annotations

from collections.abc import Sequence

from ..spec import Addresses, Match, Range
from .rules import EgressRule
from .tables import Table

TCP = 6
MOST_COMPARED = 4096  # pairs of prefixes


def encapsulations_of_flows(egress: Sequence[EgressRule]) -> dict[str, frozenset[str]]:
    """Of a flow of which one packet takes a row of a table, by table: a row may change, and packets of one flow may
    take rows of several tables. Only tables that rules lead to."""
    tables = {target.table.name: target.table for rule in egress for target in rule.targets}
    every = frozenset(name for table in tables.values() for name in _names(table))
    return {name: _together(table, egress, every) for name, table in tables.items()}


def _names(table: Table) -> set[str]:
    return {encapsulation.name for encapsulation in table.encapsulations}


def _together(table: Table, egress: Sequence[EgressRule], every: frozenset[str]) -> frozenset[str]:
    found = _names(table)
    if found == every:
        return frozenset(found)
    own = [rule for rule in egress if any(target.table is table for target in rule.targets)]
    varying = [rule for rule in own if rule.varies]
    for other in egress:
        others = [target.table for target in other.targets if target.table is not table]
        added = {name for o in others for name in _names(o)} - found
        if added and any(_overlap(rule.match, other.match) for rule in (own if other.varies else varying)):
            found |= added
    return frozenset(found)


def takes_tcp(match: Match) -> bool:
    return not match.protocol or TCP in match.protocol


def _overlap(one: Match, other: Match) -> bool:
    """Whether a TCP flow can meet both. May say yes where the truth is no."""
    return (
        takes_tcp(one)
        and takes_tcp(other)
        and _meet(one.destination, other.destination)
        and _meet(one.source, other.source)
        and _ranges_meet(one.destination_port, other.destination_port)
        and _ranges_meet(one.source_port, other.source_port)
    )


def _meet(one: Addresses | None, other: Addresses | None) -> bool:
    if one is None or other is None or one is other:
        return True
    if len(one.prefixes) * len(other.prefixes) > MOST_COMPARED:
        return True  # two long lists: taken to meet
    return any(a.version == b.version and a.overlaps(b) for a in one.prefixes for b in other.prefixes)


def _ranges_meet(one: Sequence[Range], other: Sequence[Range]) -> bool:
    return not one or not other or any(a.first <= b.last and b.first <= a.last for a in one for b in other)

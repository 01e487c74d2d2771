"""Which rules are routed to the route device: those with `to` that a route can tell by their destination."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network

from ...common.record import Record
from ...common.values import Prefix
from ..spec import EgressRule, Match, Spec
from .matches import families_of

EVERYWHERE: dict[str, Prefix] = {"ipv4": IPv4Network("0.0.0.0/0"), "ipv6": IPv6Network("::/0")}


class Routed(Record):
    """A rule whose packets are routed to the route device.

    `table`: only the destinations of its rows, within `prefixes`; empty: all of `prefixes`. `passed` are prefixes
    that earlier rules pass.
    """

    rule: EgressRule
    table: str
    prefixes: tuple[Prefix, ...]
    passed: tuple[Prefix, ...]


def routed_rules(spec: Spec) -> tuple[Routed, ...]:
    """In the order of the rules; none without a route device. Of any spec, also before it is checked."""
    return tuple(_routed(spec)) if spec.route_device else ()


def _routed(spec: Spec) -> Iterator[Routed]:
    passed: list[Prefix] = []
    for rule in spec.egress.rules:
        destination = rule.match.destination
        if rule.action == "pass" and destination is not None and by_destination_alone(rule.match):
            passed += destination.prefixes
        if rule.to is None:
            continue
        keyed = _finds_by_destination(spec, rule)
        if destination is None and not keyed and rule.match != Match():
            continue
        prefixes = destination.prefixes if destination else tuple(EVERYWHERE[f] for f in families_of(rule.match))
        # Where a packet without a row is dropped, the whole prefix is routed: it fails closed, rows or not.
        rows = keyed and (destination is None or rule.on_miss != "drop")
        yield Routed(rule, rule.to.table if rows else "", prefixes, tuple(dict.fromkeys(passed)))


def by_destination_alone(match: Match) -> bool:
    """Whether a match asks for nothing that a route does not know."""
    return match == Match(destination=match.destination)


def _finds_by_destination(spec: Spec, rule: EgressRule) -> bool:
    table = spec.endpoints.get(rule.to.table) if rule.to else None
    return table is not None and rule.to is not None and rule.to.row is None and "destination" in table.key

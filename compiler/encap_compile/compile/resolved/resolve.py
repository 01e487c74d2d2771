"""From a checked spec to its resolved form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ...common.record import Record
from ..headers.catalogue import FAMILIES
from ..spec import Match, Spec
from .cgroups import NamedCgroup, resolve_cgroups
from .encapsulations import Encapsulation, resolve_encapsulations
from .flows import encapsulations_of_flows
from .matches import families_of
from .rules import ConnectRule, EgressRule, IngressRule, resolve_connect, resolve_egress, resolve_ingress
from .tables import RowField, Table, families_of_tables, resolve_tables, row_field


class Resolved(Record):
    """A spec whose references are followed, and what is known of its parts.

    `spec` is what was resolved, for what needs no working out: its name, host values, sets, defaults.
    """

    spec: Spec
    encapsulations: Mapping[str, Encapsulation]
    tables: Mapping[str, Table]  # those that rules use
    egress: tuple[EgressRule, ...]
    connect: tuple[ConnectRule, ...]
    ingress: tuple[IngressRule, ...]
    families: tuple[str, ...]  # of the packets that the program looks into
    attributing: tuple[EgressRule, ...]  # those that attribute packets to sockets or cgroups
    learning: tuple[IngressRule, ...]  # those that keep what came in
    sources: tuple[RowField, ...]  # who may send to us, where rows say it
    destinations: tuple[RowField, ...]  # where our own packets go, where rows of tables that rules lead to say it
    guards: bool  # packets are dropped that a rule encapsulates and that leave by a device without our program
    cgroups: tuple[NamedCgroup, ...]
    socket_tables: tuple[Table, ...]  # of whose rows sockets may choose
    attributed_tables: frozenset[str]  # that rules lead to which attribute packets
    flows: Mapping[str, frozenset[str]]  # where TCP is made to fit: see `encapsulations_of_flows`

    @property
    def rules(self) -> tuple[EgressRule | ConnectRule | IngressRule, ...]:
        """Of all directions; their names are unique."""
        return (*self.egress, *self.connect, *self.ingress)


def resolve(spec: Spec) -> Resolved:
    """`spec` has passed the checks: every reference leads to something."""
    families = {rule.name: families_of(rule.match) for rule in spec.egress.rules}
    brought = families_of_tables(spec, families)
    encapsulations = resolve_encapsulations(spec, families, brought)
    tables = resolve_tables(spec, brought, encapsulations)
    ingress = {rule.name: resolve_ingress(spec, rule, tables, encapsulations) for rule in spec.ingress.rules}
    egress = tuple(
        resolve_egress(spec, rule, families[rule.name], tables, encapsulations, ingress) for rule in spec.egress.rules
    )
    received = tuple(ingress.values())
    connect = resolve_connect(spec, tables)
    attributing = tuple(rule for rule in egress if rule.attributes)
    guards = spec.egress.unattached == "drop" and any(rule.encapsulates for rule in attributing)
    return Resolved(
        spec=spec,
        encapsulations=encapsulations,
        tables=tables,
        egress=egress,
        connect=connect,
        ingress=received,
        families=_families(spec, egress, received, bool(attributing)),
        attributing=attributing,
        learning=tuple(rule for rule in received if rule.learn),
        sources=_sources(received),
        destinations=tuple(_destinations(egress)),
        guards=guards,
        cgroups=resolve_cgroups(egress, connect, guards),
        socket_tables=tuple(t for _, t in sorted({t.table.name: t.table for r in egress for t in r.socket}.items())),
        attributed_tables=frozenset(t.table.name for rule in attributing for t in rule.targets),
        flows=encapsulations_of_flows(egress) if spec.mtu.clamp_mss else {},
    )


def _sources(ingress: tuple[IngressRule, ...]) -> tuple[RowField, ...]:
    found = (rule.source for rule in ingress if isinstance(rule.source, RowField))
    return tuple({(field.table.name, field.field): field for field in found}.values())


def _destinations(egress: tuple[EgressRule, ...]) -> Iterator[RowField]:
    tables = {target.table.name: target.table for rule in egress for target in rule.targets}
    for _, table in sorted(tables.items()):  # which rule is the first to lead to one moves none
        for field in dict.fromkeys(e.family_field for e in table.encapsulations if e.family_field):
            yield row_field(table, field)


def _families(
    spec: Spec, egress: tuple[EgressRule, ...], ingress: tuple[IngressRule, ...], attributes: bool
) -> tuple[str, ...]:
    """The families whose packets the program must look into."""
    if spec.egress.default == "drop" or spec.connect or (attributes and ingress):
        return FAMILIES
    if any(rule.match != Match() or rule.learn for rule in ingress):
        return FAMILIES
    found = {family for rule in egress for family in rule.families}
    return tuple(f for f in FAMILIES if f in found) or ("ipv4",)

"""From a checked spec to its resolved form."""

from __future__ import annotations

from collections.abc import Mapping

from ...common.record import Record
from ..headers.catalogue import FAMILIES
from ..spec import Match, Spec
from .encapsulations import Encapsulation, resolve_encapsulations
from .rules import ConnectRule, EgressRule, IngressRule, resolve_connect, resolve_egress, resolve_ingress
from .tables import Table, families_of_tables, resolve_tables


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

    @property
    def rules(self) -> tuple[EgressRule | ConnectRule | IngressRule, ...]:
        """Of all directions; their names are unique."""
        return (*self.egress, *self.connect, *self.ingress)

    @property
    def guards(self) -> bool:
        """Whether packets are dropped that a rule encapsulates and that leave by a device without our program."""
        return self.spec.egress.unattached == "drop" and any(rule.encapsulates for rule in self.attributing)


def resolve(spec: Spec) -> Resolved:
    """`spec` has passed the checks: every reference leads to something."""
    families = families_of_tables(spec)
    encapsulations = resolve_encapsulations(spec, families, {rule.name: rule for rule in spec.ingress.rules})
    tables = resolve_tables(spec, families, encapsulations)
    ingress = {rule.name: resolve_ingress(rule, tables, encapsulations) for rule in spec.ingress.rules}
    egress = tuple(resolve_egress(spec, rule, tables, encapsulations, ingress) for rule in spec.egress.rules)
    received = tuple(ingress.values())
    attributing = tuple(rule for rule in egress if rule.attributes)
    return Resolved(
        spec,
        encapsulations,
        tables,
        egress,
        resolve_connect(spec, tables),
        received,
        _families(spec, egress, received, bool(attributing)),
        attributing,
        tuple(rule for rule in received if rule.learn),
    )


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

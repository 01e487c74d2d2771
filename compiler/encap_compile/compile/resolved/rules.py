"""Rules that hold what they refer to: tables, encapsulations, other rules."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from ...common.diagnostics import Place
from ...common.record import Record
from ..spec import Addresses, AnySource, Learn, Match, RowTarget, Scalar, Spec, TableField
from ..spec import EgressRule as WrittenEgressRule
from ..spec import IngressRule as WrittenIngressRule
from .attributing import attributes, finds_by_cgroup
from .encapsulations import Encapsulation
from .host import HostReference, host_reference
from .matches import families_of
from .tables import RowField, Table, row_field


class Target(Record):
    """A table, or a row of it by name."""

    table: Table
    row: str | None
    place: Place = dataclasses.field(compare=False)


class IngressRule(Record):
    """A rule for what comes in by an encapsulation."""

    name: str
    path: str
    text: str
    match: Match
    families: tuple[str, ...]  # of the packets that can meet the match
    decapsulate: Encapsulation
    source: Addresses | RowField | AnySource
    lookup: Table | None
    mark: int | RowField | HostReference | None  # that is set
    learn: Learn | None
    was: str  # what it was called before, or empty


class Reflection(Record):
    """The ingress rule that learned, and the encapsulation of the replies: that of `with`, or what came in."""

    rule: IngressRule
    encapsulation: Encapsulation


class EgressRule(Record):
    """A rule for what leaves: exactly one of `to`, `socket`, `reflect` and `action`."""

    name: str
    path: str
    text: str
    match: Match
    families: tuple[str, ...]  # of the packets that can meet the match
    to: Target | None
    socket: tuple[Target, ...]  # the rows that a socket may choose
    reflect: Reflection | None
    action: str | None  # pass, drop
    on_miss: str
    attributes: bool  # it asks which socket or cgroup a packet comes from
    finds_by_cgroup: bool
    was: str  # what it was called before, or empty

    @property
    def targets(self) -> tuple[Target, ...]:
        """The rows that the rule may lead to."""
        return (self.to,) if self.to else self.socket

    @property
    def chooses(self) -> bool:
        """Whether it keeps packets from leaving as they are."""
        return self.action != "pass"

    @property
    def varies(self) -> bool:
        """Whether it may take one packet of a flow and leave another to the rules behind it."""
        match = self.match
        undecided = self.on_miss == "next" or self.socket or self.reflect is not None
        return bool(undecided or match.dscp or match.mark or match.cgroup)

    @property
    def encapsulates(self) -> bool:
        return bool(self.targets or self.reflect)


class ConnectRule(Record):
    """What is chosen for a socket when it connects; None: nothing."""

    name: str
    path: str
    text: str
    match: Match
    families: tuple[str, ...]  # of the packets that can meet the match
    choose: Target | None
    was: str


def resolve_egress(
    spec: Spec,
    rule: WrittenEgressRule,
    families: tuple[str, ...],
    tables: Mapping[str, Table],
    encapsulations: Mapping[str, Encapsulation],
    ingress: Mapping[str, IngressRule],
) -> EgressRule:
    reflect = None
    if rule.reflect is not None:
        came = ingress[rule.reflect.rule]
        named = rule.reflect.encapsulation
        reflect = Reflection(came, encapsulations[named] if named else came.decapsulate)
    return EgressRule(
        rule.name,
        rule.path,
        rule.text,
        rule.match,
        families,
        _target(rule.to, tables) if rule.to else None,
        tuple(_target(target, tables) for target in rule.socket),
        reflect,
        rule.action,
        rule.on_miss,
        attributes(rule, spec),
        finds_by_cgroup(rule, spec),
        rule.was.name if rule.was else "",
    )


def resolve_ingress(
    spec: Spec, rule: WrittenIngressRule, tables: Mapping[str, Table], encapsulations: Mapping[str, Encapsulation]
) -> IngressRule:
    source = rule.source
    lookup = tables[rule.lookup] if rule.lookup else None
    if isinstance(source, TableField):
        table = tables[source.table]
        senders: Addresses | RowField | AnySource = row_field(table, source.field)
    else:
        senders = source
    return IngressRule(
        rule.name,
        rule.path,
        rule.text,
        rule.match,
        families_of(rule.match),
        encapsulations[rule.decapsulate],
        senders,
        lookup,
        _mark(rule, spec, lookup),
        rule.learn,
        rule.was.name if rule.was else "",
    )


def _mark(rule: WrittenIngressRule, spec: Spec, lookup: Table | None) -> int | RowField | HostReference | None:
    mark = rule.set_mark
    if isinstance(mark, Scalar):
        return int(str(mark.value), 0)
    if mark is None or mark.root == "host":
        return host_reference(mark, spec) if mark else None
    assert lookup is not None, "checks.ingress_lookup refuses a mark of a row that no look-up finds"
    return row_field(lookup, mark.path[0])


def resolve_connect(spec: Spec, tables: Mapping[str, Table]) -> tuple[ConnectRule, ...]:
    return tuple(
        ConnectRule(
            rule.name,
            rule.path,
            rule.text,
            rule.match,
            families_of(rule.match),
            _target(rule.choose, tables) if rule.choose else None,
            rule.was.name if rule.was else "",
        )
        for rule in spec.connect
    )


def _target(target: RowTarget, tables: Mapping[str, Table]) -> Target:
    return Target(tables[target.table], target.row, target.place)

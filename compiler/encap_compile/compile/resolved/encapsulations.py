"""An encapsulation, who uses it, and which families it can have inside and outside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ...common.record import Record
from ..headers.catalogue import FAMILIES
from ..spec import Encapsulation as Written
from ..spec import HeaderUse, Reference, Spec, Table
from .host import HostUse, host_reference
from .values import possible_families, uses


class Encapsulation(Record):
    """A stack of headers as sent, outermost first. A packet carries it where a row says so, or because it answers."""

    name: str
    path: str
    headers: tuple[HeaderUse, ...]
    tables: tuple[str, ...]  # whose rows take it, if a rule leads to them
    replies: tuple[str, ...]  # egress rules whose replies carry it
    receivers: tuple[str, ...]  # ingress rules that decapsulate it
    row_types: Mapping[str, str]  # of the fields of rows that it refers to, and of their other fields
    outer_families: tuple[str, ...]
    inner_families: tuple[str, ...]  # of the packets that it is put around; both where none is
    family_field: str  # the row's field that is the outer destination, or empty
    host: tuple[HostUse, ...]
    written: Written

    @property
    def sent(self) -> bool:
        return bool(self.tables or self.replies)

    @property
    def used(self) -> bool:
        return bool(self.sent or self.receivers)


def tables_of(spec: Spec, encapsulation: str) -> list[Table]:
    """Tables whose rows may take an encapsulation."""
    return [t for t in spec.endpoints.values() if encapsulation in t.encapsulations]


def resolve_encapsulations(
    spec: Spec, families: Mapping[str, tuple[str, ...]], families_of_tables: Mapping[str, tuple[str, ...]]
) -> dict[str, Encapsulation]:
    """`families` of the packets that can meet each egress rule, and of those that rules bring to each table."""
    decapsulated = {rule.name: rule.decapsulate for rule in spec.ingress.rules}
    replies: dict[str, dict[str, tuple[str, ...]]] = {}  # encapsulation -> rule -> families of what it reflects
    for rule in spec.egress.rules:
        if rule.reflect is not None:
            reply = rule.reflect.encapsulation or decapsulated[rule.reflect.rule]
            replies.setdefault(reply, {})[rule.name] = families[rule.name]
    receivers: dict[str, list[str]] = {}
    for received in spec.ingress.rules:
        receivers.setdefault(received.decapsulate, []).append(received.name)
    found = {}
    for written in spec.encapsulations.values():
        able = tables_of(spec, written.name)
        led_to = [t for t in able if t.name in families_of_tables]
        row = {name: type_ for t in led_to or able for name, type_ in t.fields.items()} or _implied(written)
        own = replies.get(written.name, {})
        inner = {f for t in led_to for f in families_of_tables[t.name]} | {f for fs in own.values() for f in fs}
        found[written.name] = Encapsulation(
            written.name,
            written.path,
            written.headers,
            tuple(t.name for t in led_to),
            tuple(own),
            tuple(receivers.get(written.name, ())),
            row,
            possible_families(written),
            tuple(f for f in FAMILIES if f in inner) or FAMILIES,
            _family_field(written),
            tuple(_host_uses(written, spec)),
            written,
        )
    return found


def _implied(encapsulation: Written) -> dict[str, str]:
    """The types of fields that no table has, because packets only come in: those of the headers' own fields."""
    return {
        value.path[0]: kind
        for _, _, _, kind, value in uses(encapsulation)
        if isinstance(value, Reference) and value.root == "endpoint"
    }


def _family_field(encapsulation: Written) -> str:
    value = encapsulation.headers[0].values.get("destination")
    return value.path[0] if isinstance(value, Reference) and value.root == "endpoint" else ""


def _host_uses(encapsulation: Written, spec: Spec) -> Iterator[HostUse]:
    for position, use in enumerate(encapsulation.headers):
        given = [*use.values.items(), *((option.name, option.value) for option in use.options)]
        for word, value in given:
            if isinstance(value, Reference) and value.root == "host":
                yield HostUse(host_reference(value, spec), position == 0 and word == "source")

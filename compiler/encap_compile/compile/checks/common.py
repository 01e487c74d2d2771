"""What several checks ask of a spec."""

from __future__ import annotations

from collections.abc import Iterator

from ...common.manifest import KeyColumn
from ..headers.catalogue import FAMILIES, headers, resolve, settable
from ..headers.model import Field, FromSpec, Header
from ..spec import EgressRule, Encapsulation, HeaderUse, Match, OptionUse, Reference, Spec, Table, Value

IP_HEADERS = ("ip", *FAMILIES)
KEY_TYPES = {4: "u32", 8: "u64"}  # of options that a table may be keyed by
ADDRESS_WORDS = ("destination", "source")

INLINE_PREFIXES = 8  # more than these are looked up in a trie instead of compared one by one


def uses(encapsulation: Encapsulation) -> Iterator[tuple[HeaderUse, str, Field, str, Value]]:
    """(header, word, field, value type, value) of every value that the spec gives."""
    for header in encapsulation.headers:
        fields = settable(header.name)
        for word, value in header.values.items():
            field = fields[word]
            yield header, word, field, value_type(header.name, field), value
        for option in header.options:
            field = option_field(option)
            yield header, option.name, field, field.type, option.value


def option_field(option: OptionUse) -> Field:
    """An option as if it were a field of its header."""
    role = FromSpec(f"bytes{option.length}", identifies=option.length in KEY_TYPES)
    return Field(option.name, 8 * option.length, role, "an option")


def value_type(header: str, field: Field) -> str:
    """The type of a field's value; under `ip`, addresses are of either family."""
    return "ip" if header == "ip" and field.type in FAMILIES else field.type


def families(encapsulation: Encapsulation) -> tuple[str, ...]:
    """The outer families: both for `ip`."""
    first = encapsulation.headers[0].name
    return FAMILIES if first == "ip" else (first,) if first in FAMILIES else ()


def resolved(name: str) -> tuple[Header, ...]:
    """The headers that a name may stand for."""
    return tuple(resolve(name, family) for family in FAMILIES) if name == "ip" else (headers()[name],)


def tables_of(spec: Spec, encapsulation: str) -> list[Table]:
    """Tables whose rows may take an encapsulation."""
    return [t for t in spec.endpoints.values() if encapsulation in t.encapsulations]


def endpoint_fields(encapsulation: Encapsulation) -> dict[str, Reference]:
    """The fields of rows that a stack refers to, each with its first use."""
    found: dict[str, Reference] = {}
    for _, _, _, _, value in uses(encapsulation):
        if isinstance(value, Reference) and value.root == "endpoint":
            found.setdefault(value.path[0], value)
    return found


def matches(spec: Spec) -> Iterator[tuple[str, Match]]:
    """(rule name, match) of the rules of both directions."""
    yield from ((rule.name, rule.match) for rule in spec.connect)
    yield from ((rule.name, rule.match) for rule in spec.egress.rules)
    yield from ((rule.name, rule.match) for rule in spec.ingress.rules)


def received_field(spec: Spec, word: str) -> Field | None:
    """The field or option of a key word `received.HEADER.FIELD`; None for other words and unknown fields."""
    parts = word.split(".")
    if len(parts) != 3 or parts[0] != "received" or parts[1] not in headers():
        return None
    known = headers()[parts[1]].settable().get(parts[2])
    named = (o for e in spec.encapsulations.values() for u in e.headers if u.name == parts[1] for o in u.options)
    return known or next((option_field(o) for o in named if o.name == parts[2]), None)


def identifies(spec: Spec, word: str) -> bool:
    """Whether a key word `received.HEADER.FIELD` is a field that tells tenants apart."""
    field = received_field(spec, word)
    return field is not None and isinstance(field.role, FromSpec) and field.role.identifies


def key_type(field: Field) -> str:
    """The type of a key that is a received field."""
    return KEY_TYPES[field.bits // 8] if field.type.startswith("bytes") else field.type


def key_columns(spec: Spec, table: Table) -> tuple[KeyColumn, ...]:
    """The table's key as its rows write it: of the address words the last may hold prefixes."""
    addresses = [word for word in table.key if word in ADDRESS_WORDS]
    columns = []
    for word in table.key:
        if word in ADDRESS_WORDS:
            last = word == addresses[-1]
            lengths = table.shape.prefix_lengths if last else ()
            columns.append(KeyColumn(word, "prefix" if last else "address", FAMILIES, lengths))
        else:
            field = received_field(spec, word)
            plain = {"destination_port": "port", "source_port": "port", "mark": "u32"}.get(word, word)
            columns.append(KeyColumn(word, key_type(field) if field else plain))
    return tuple(columns)


def needed_fields(spec: Spec, table: Table) -> dict[str, tuple[str, ...]]:
    """Encapsulation -> the fields that its rows must fill, for `manifest.Table.needs`.

    Only tables of several encapsulations have rows that leave fields out; for others it is empty: all fields.
    """
    if len(table.encapsulations) < 2:
        return {}
    always = {
        rule.set_mark.path[0]
        for rule in spec.ingress.rules
        if rule.lookup == table.name and isinstance(rule.set_mark, Reference) and rule.set_mark.root == "endpoint"
    }
    needs = {}
    for name in table.encapsulations:
        used = endpoint_fields(spec.encapsulations[name]) if name in spec.encapsulations else {}
        needs[name] = tuple(f for f in table.fields if f in used or f in always)
    return needs


def needs_attribution(rule: EgressRule, spec: Spec) -> bool:
    """Whether the rule needs the packet's socket."""
    return bool(rule.socket or rule.match.cgroup) or finds_by_cgroup(rule, spec)


def finds_by_cgroup(rule: EgressRule, spec: Spec) -> bool:
    """Whether the rule finds its row by a cgroup."""
    return any("cgroup" in spec.endpoints[t.table].key for t in rule.targets if t.table in spec.endpoints)


def attributed_rules(spec: Spec) -> list[EgressRule]:
    """The rules that need the packet's socket."""
    return [rule for rule in spec.egress.rules if needs_attribution(rule, spec)]

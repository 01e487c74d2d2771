"""What a table is keyed by, and what its rows must fill. Of any spec, also before it is checked."""

from __future__ import annotations

from ...common.manifest import KeyColumn
from ..headers.catalogue import FAMILIES, headers
from ..headers.model import Field, FromSpec
from ..spec import Reference, Spec, Table
from .values import KEY_TYPES, option_field, row_fields

ADDRESS_WORDS = ("destination", "source")


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


def key_columns(spec: Spec, table: Table, families: tuple[str, ...] = FAMILIES) -> tuple[KeyColumn, ...]:
    """The table's key as its rows write it: of the address words the last may hold prefixes. `families` are those of
    the packets that are looked up."""
    addresses = [word for word in table.key if word in ADDRESS_WORDS]
    columns = []
    for word in table.key:
        if word in ADDRESS_WORDS:
            last = word == addresses[-1]
            lengths = table.shape.prefix_lengths if last else ()
            columns.append(KeyColumn(word, "prefix" if last else "address", families, lengths))
        else:
            field = received_field(spec, word)
            plain = {"destination_port": "port", "source_port": "port", "mark": "u32"}.get(word, word)
            columns.append(KeyColumn(word, _key_type(field) if field else plain))
    return tuple(columns)


def _key_type(field: Field) -> str:
    """The type of a key that is a received field."""
    return KEY_TYPES[field.bits // 8] if field.type.startswith("bytes") else field.type


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
        used = row_fields(spec.encapsulations[name]) if name in spec.encapsulations else {}
        needs[name] = tuple(f for f in table.fields if f in used or f in always)
    return needs

"""A table of endpoints, and what rules want of it."""

from __future__ import annotations

from collections.abc import Mapping

from ...common.manifest import KeyColumn
from ...common.record import Record
from ..headers.catalogue import FAMILIES
from ..spec import Row, Spec, TableField
from ..spec import Table as Written
from .encapsulations import Encapsulation
from .keys import ADDRESS_WORDS, key_columns, needed_fields


class Table(Record):
    """A table that rules use: they lead to it, look in it what came in, or take the senders from it."""

    name: str
    path: str
    key: tuple[str, ...]
    columns: tuple[KeyColumn, ...]  # the key as rows write it
    prefix_word: str  # the word of the key that rows may give as a prefix, or empty
    prefix_lengths: tuple[int, ...]  # the only ones that occur; empty: any
    fields: Mapping[str, str]  # name -> type
    encapsulations: tuple[Encapsulation, ...]
    family_field: str  # the field that is the outer destination, or empty
    needs: Mapping[str, tuple[str, ...]]  # encapsulation -> the fields that its rows must fill, see `needed_fields`
    families: tuple[str, ...]  # of the packets that rules bring; both where none does
    led_to: bool  # by egress rules
    looked_up: bool  # by ingress rules
    capacity: int
    fixed: bool
    file: str | None
    rows: tuple[Row, ...]
    written: Written

    @property
    def found(self) -> bool:
        """Whether packets find rows in it."""
        return self.led_to or self.looked_up

    @property
    def in_program(self) -> bool:
        """Whether the program knows it: not where nothing is found in it, and its rows are in no map."""
        return self.found or not self.fixed


class RowField(Record):
    """A field of a table, for the values that it has in some row."""

    table: Table
    field: str
    type: str


def row_field(table: Table, field: str) -> RowField:
    return RowField(table, field, table.fields[field])


def families_of_tables(spec: Spec, families: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Of the packets that rules bring to each table that they lead to. `families`: of those that can meet each rule."""
    found: dict[str, set[str]] = {}
    for rule in spec.egress.rules:
        for target in rule.targets:
            found.setdefault(target.table, set()).update(families[rule.name])
    return {name: tuple(f for f in FAMILIES if f in brought) for name, brought in found.items()}


def resolve_tables(
    spec: Spec, families: Mapping[str, tuple[str, ...]], encapsulations: Mapping[str, Encapsulation]
) -> dict[str, Table]:
    """The tables that rules use."""
    looked_up = {rule.lookup for rule in spec.ingress.rules}
    sources = {rule.source.table for rule in spec.ingress.rules if isinstance(rule.source, TableField)}
    found = {}
    for written in spec.endpoints.values():
        if written.name in families or written.name in looked_up or written.name in sources:
            takes = tuple(encapsulations[name] for name in written.encapsulations)
            brought = families.get(written.name) or FAMILIES
            found[written.name] = Table(
                name=written.name,
                path=written.path,
                key=written.key,
                columns=key_columns(spec, written, brought),
                prefix_word=next((word for word in reversed(written.key) if word in ADDRESS_WORDS), ""),
                prefix_lengths=written.shape.prefix_lengths,
                fields=written.fields,
                encapsulations=takes,
                family_field=_family_field(written, takes),
                needs=needed_fields(spec, written),
                families=brought,
                led_to=written.name in families,
                looked_up=written.name in looked_up,
                capacity=written.capacity,
                fixed=written.fixed,
                file=written.file,
                rows=written.rows,
                written=written,
            )
    return found


def _family_field(table: Written, encapsulations: tuple[Encapsulation, ...]) -> str:
    """Of several the one that may be of either family."""
    fields = {e.family_field for e in encapsulations if e.family_field}
    return min(fields, key=lambda field: (table.fields[field] != "ip", field), default="")

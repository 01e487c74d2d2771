"""What a machine and its rows tell the model: host values, tables, sets of addresses. Python values, no map's bytes."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple

from ...common.manifest import Layout, Manifest, Table
from ...common.record import Record
from ...common.rows import EncodedRows
from ..identifiers import c_name

Value = int | bytes  # addresses and MACs are bytes as on the wire
Network = IPv4Network | IPv6Network
MAPPED = bytes(10) + b"\xff\xff"  # RFC 4291, section 2.5.5.2
FAMILY_OF_SIZE = {4: "ipv4", 16: "ipv6"}


def any_address(address: bytes) -> bytes:
    """An address of either family in 16 bytes."""
    return address if len(address) == 16 else MAPPED + address


def plain(address: bytes) -> bytes:
    """An address in as many bytes as its family has."""
    return address[12:] if len(address) == 16 and address.startswith(MAPPED) else address


class Row(NamedTuple):
    """A row of a table. `stack` is the name of its layout of headers; empty where the table has none."""

    name: str
    encapsulation: str
    stack: str
    fields: Mapping[str, Value]  # by the members' names in the IR
    line: int = 0


class Rows:
    """A table's rows, found as the spec says: by name, or by exact values and at last the longest prefix."""

    def __init__(self, described: Table, encoded: EncodedRows) -> None:
        self.prefix = next((c.name for c in described.columns if c.type == "prefix"), "")
        self.exact = tuple(c.name for c in described.columns if c.name != self.prefix)
        self.by_name: dict[str, Row] = {}
        self.by_key: dict[tuple[Value, ...], dict[tuple[int, int], dict[int, Row]]] = {}
        self.all: list[Row] = []
        typed = encoded.typed
        for i in range(encoded.count):
            row = _row(described, encoded, i)
            self.all.append(row)
            if row.name:
                self.by_name[row.name] = row
            if not described.columns:
                continue
            exact = tuple(_keyed(typed.key[name][i]) for name in self.exact)
            found = self.by_key.setdefault(exact, {})
            if not self.prefix:
                found[0, 0] = {0: row}
                continue
            address, length = typed.key[self.prefix][i], typed.lengths[self.prefix][i]
            assert isinstance(address, bytes)
            found.setdefault((len(address), length), {})[_cut(address, length)] = row
        for lengths in self.by_key.values():  # the longest first
            for key in sorted(lengths, reverse=True):
                lengths[key] = lengths.pop(key)

    def find(self, exact: tuple[Value, ...], address: bytes = b"") -> Row | None:
        """The row for a key: the values of the `exact` columns, and the `address` of the prefix column."""
        for (size, length), rows in self.by_key.get(exact, {}).items():
            if not size:
                return rows[0]
            if size == len(address):
                row = rows.get(_cut(address, length))
                if row is not None:
                    return row
        return None

    def find_of_lengths(self, exact: tuple[Value, ...], address: bytes, lengths: Iterable[int]) -> Row | None:
        """The row for an IPv6 `address` in a hash by promised lengths. IPv4 prefixes are kept there as mapped ones."""
        found = self.by_key.get(exact, {})
        for length in sorted(lengths, reverse=True):
            for part, bits in (address, length), (plain(address), length - 8 * len(MAPPED)):
                row = found.get((len(part), bits), {}).get(_cut(part, bits)) if bits >= 0 else None
                if row is not None:
                    return row
        return None

    def field(self, name: str) -> Iterable[Value]:
        return (row.fields[name] for row in self.all if name in row.fields)


def _keyed(value: Value) -> Value:
    return plain(value) if isinstance(value, bytes) else value


def _cut(address: bytes, length: int) -> int:
    return int.from_bytes(address, "big") >> (8 * len(address) - length)


def _row(described: Table, encoded: EncodedRows, i: int) -> Row:
    """What the row says: a field that it leaves out is not there, which the headers take for zero."""
    typed = encoded.typed
    fields: dict[str, Value] = {}
    for name, column in typed.fields.items():
        cells = typed.sheet.column(name)
        if cells is None or cells[i]:
            fields[f"field_{c_name(name)}"] = column[i]
    encapsulation = typed.encapsulations[i] if typed.encapsulations else ""
    stacks = [s for s in described.stacks if s.encapsulation == encapsulation]
    outer = fields.get(f"field_{c_name(described.family_field)}")
    family = FAMILY_OF_SIZE[len(plain(outer))] if isinstance(outer, bytes) else ""
    stack = next((s.name for s in stacks if s.outer_family == family), stacks[0].name if stacks else "")
    return Row(typed.names[i] if typed.names else "", encapsulation, stack, fields, encoded.lines[i])


class Facts(Record):
    """What one device's instance of the program knows.

    `host`: the host values by their members' names. `tables` by their names in the IR. `sets`: who may send to us, and
    where our own packets go, by map. `prefixes`: long prefix lists by map. `own`: this host's outer sources on all
    devices. Addresses of sets are 16 bytes.
    """

    host: Mapping[str, Value]
    tables: Mapping[str, Rows]
    sets: Mapping[str, frozenset[bytes]]
    prefixes: Mapping[str, Sequence[Network]]
    own: frozenset[bytes]


def host_values(layout: Layout, data: bytes) -> dict[str, Value]:
    """The members of `struct host`, as the loader writes them for a device."""
    numbers = {"u8", "u16", "u32", "u64"}
    found: dict[str, Value] = {}
    for m in layout.members:
        raw = data[m.offset : m.offset + m.size]
        found[m.name] = int.from_bytes(raw, sys.byteorder) if m.type in numbers else raw
    return found


def facts_of(
    manifest: Manifest,
    host: Mapping[str, Value],
    rows: Mapping[str, EncodedRows],
    prefixes: Mapping[str, Sequence[Network]] | None = None,
    own: Iterable[bytes] = (),
) -> Facts:
    """Everything together. `rows` by the tables' names; `own` are addresses of other devices' instances."""
    tables = {t.name: Rows(t, rows[t.name]) for t in manifest.tables if t.name in rows}
    sets = {}
    for source in manifest.source_sets:
        found = tables[source.table].field(f"field_{c_name(source.field)}") if source.table in tables else ()
        sets[source.map] = frozenset(any_address(v) for v in found if isinstance(v, bytes))
    mine = {host[m.member.name] for m in manifest.host_members if m.own and m.member.name in host}
    return Facts(
        host=dict(host),
        tables={c_name(name): table for name, table in tables.items()},
        sets=sets,
        prefixes=dict(prefixes or {}),
        own=frozenset(any_address(a) for a in {*mine, *own} if isinstance(a, bytes) and any(a)),
    )

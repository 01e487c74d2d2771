"""Rows that are compiled in (`fixed: true`): conditions that find each, and its values as C initialisers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...common.manifest import KeyColumn
from ...common.values import MAPPED, parse, prefix
from .. import ir
from ..resolved import Table
from ..spec import Row
from .c_names import c_name
from .conditions import FAMILIES
from .tables import row_id


def with_rows(lowered: ir.TableMap, table: Table, own: Sequence[ir.Stack]) -> ir.TableMap:
    """The table with its rows, in the order they are tried: a longer prefix before a shorter one, else as written."""

    def length(row: Row) -> int:
        return -prefix(row.cells[table.prefix_word].value).prefixlen if table.prefix_word else 0

    rows = sorted(table.rows, key=length)
    return lowered._replace(rows=tuple(_row(row, table, lowered.row, own) for row in rows))


def _row(row: Row, table: Table, members: Sequence[ir.StructMember], own: Sequence[ir.Stack]) -> ir.FixedRow:
    name = str(row.cells["name"].value) if "name" in row.cells else ""
    return ir.FixedRow(
        table.written.row_path(row) if "name" in row.cells else f"{table.path}.rows",
        row_id(name) if not table.key else 0,
        name,
        tuple(_condition(column, row) for column in table.columns),
        tuple(_values(row, table, members, own)),
    )


def _condition(column: KeyColumn, row: Row) -> ir.Condition:
    value = row.cells[column.name].value
    if column.type in ("prefix", "address"):
        return ir.InPrefixes(column.name, (prefix(value),))
    number = parse(column.type, value)
    assert isinstance(number, int)
    return ir.InRanges(column.name, ((number, number),))


def _values(
    row: Row, table: Table, members: Sequence[ir.StructMember], own: Sequence[ir.Stack]
) -> Iterator[tuple[str, str]]:
    fields = {f"field_{c_name(field)}": field for field in table.fields}
    for member in members:
        if member.type == "stack":
            yield member.name, _stack(row, table, own).constant
        elif member.name in fields and fields[member.name] in row.cells:
            field = fields[member.name]
            kind = table.fields[field]
            yield member.name, initialiser(kind, parse(kind, row.cells[field].value))


def _stack(row: Row, table: Table, own: Sequence[ir.Stack]) -> ir.Stack:
    written = row.cells.get("encapsulation")
    encapsulation = str(written.value) if written else table.encapsulations[0].name
    family = ""
    if table.family_field and table.family_field in row.cells:
        packed = parse(table.fields[table.family_field], row.cells[table.family_field].value)
        assert isinstance(packed, bytes)
        family = FAMILIES[len(packed) == 16 and not packed.startswith(MAPPED)]
    candidates = [s for s in own if s.encapsulation == encapsulation]
    return next((s for s in candidates if s.outer_family == family), candidates[0])


def initialiser(type_: str, value: int | bytes) -> str:
    """A value as a C initialiser of its type."""
    if isinstance(value, int):
        return f"{value}ULL" if type_ == "u64" else str(value)
    if type_ == "mac":
        return "{{" + ", ".join(f"bpf_htons({int.from_bytes(value[i : i + 2], 'big'):#06x})" for i in (0, 2, 4)) + "}}"
    if len(value) == 4:
        return f"bpf_htonl({int.from_bytes(value, 'big'):#010x})"
    words = ", ".join(f"bpf_htonl({int.from_bytes(value[i : i + 4], 'big'):#x})" for i in range(0, 16, 4))
    return "{{" + words + "}}"

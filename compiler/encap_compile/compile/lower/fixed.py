"""Rows that are compiled in (`fixed: true`): conditions that find each, and its values as C initialisers."""

from __future__ import annotations

from ...common import manifest
from ...common.values import MAPPED, parse, prefix
from .. import ir
from ..resolved import Table
from ..spec import Row
from .c_names import c_name, member_name
from .conditions import FAMILIES
from .tables import row_id


def fixed_rows(table: Table, described: manifest.Table) -> tuple[ir.FixedRow, ...]:
    """The rows in the order they are tried: a longer prefix before a shorter one, else as written."""

    def length(row: Row) -> int:
        return -prefix(row.cells[table.prefix_word].value).prefixlen if table.prefix_word else 0

    return tuple(_row(table, described, row) for row in sorted(table.rows, key=length))


def _row(table: Table, described: manifest.Table, row: Row) -> ir.FixedRow:
    conditions: list[ir.Condition] = []
    for column in table.columns:
        value = row.cells[column.name].value
        if column.type in ("prefix", "address"):
            conditions.append(ir.InPrefixes(column.name, (prefix(value),)))
        else:
            number = parse(column.type, value)
            assert isinstance(number, int)
            conditions.append(ir.InRanges(column.name, ((number, number),)))
    name = str(row.cells["name"].value) if "name" in row.cells else ""
    values = []
    for member in described.value.members:
        if member.type == "pad":
            continue
        if member.type == "stack":
            values.append((member.name, _stack_constant(_stack(described, row))))
        else:
            field = next(f for f in described.fields if member_name(f) == member.name)
            if field in row.cells:
                values.append(
                    (
                        f"field_{c_name(field)}",
                        initialiser(described.fields[field], parse(described.fields[field], row.cells[field].value)),
                    )
                )
    return ir.FixedRow(
        table.written.row_path(row) if "name" in row.cells else f"{table.path}.rows",
        row_id(name) if not table.key else 0,
        name,
        tuple(conditions),
        tuple(values),
    )


def _stack(described: manifest.Table, row: Row) -> manifest.Stack:
    encapsulation = (
        str(row.cells["encapsulation"].value) if "encapsulation" in row.cells else described.encapsulations[0]
    )
    family = ""
    if described.family_field and described.family_field in row.cells:
        packed = parse(described.fields[described.family_field], row.cells[described.family_field].value)
        assert isinstance(packed, bytes)
        family = FAMILIES[len(packed) == 16 and not packed.startswith(MAPPED)]
    candidates = [s for s in described.stacks if s.encapsulation == encapsulation]
    return next((s for s in candidates if s.outer_family == family), candidates[0])


def _stack_constant(stack: manifest.Stack) -> str:
    return f"STACK_{c_name(stack.encapsulation)}_{stack.outer_family}".upper()


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

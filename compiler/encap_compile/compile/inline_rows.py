"""Rows that stand in the spec itself."""

from __future__ import annotations

from ..common import manifest
from ..common.diagnostics import Findings, Place
from ..common.rows import EncodedRows, encode_sheet
from ..common.rows.csv_text import Sheet
from . import spec


def inline_sheet(table: spec.Table) -> Sheet:
    """A table's inline rows as a sheet; the places are those of the cells in the YAML."""
    columns = _inline_columns(table)
    cells = tuple(tuple(str(row.cells[c].value) if c in row.cells else "" for row in table.rows) for c in columns)

    def place(row: int, column: int) -> Place:
        if row < 0:  # a column: where it is first used
            used = [r.cells[columns[column]].place for r in table.rows if column >= 0 and columns[column] in r.cells]
            return used[0] if used else table.rows[0].place
        cell = table.rows[row].cells.get(columns[column]) if column >= 0 else None
        return cell.place if cell else table.rows[row].place

    return Sheet(table.place.file, columns, cells, len(table.rows), [r.place.line for r in table.rows], place)


def check_inline_rows(written: spec.Table, table: manifest.Table, findings: Findings) -> EncodedRows:
    """As `rows.read_rows`, for rows in the spec; findings are at their place in the YAML."""
    return encode_sheet(table, inline_sheet(written), findings)


def rows_to_csv(table: spec.Table) -> str:
    """Inline rows as canonical CSV: name, encapsulation, key columns, fields; LF line ends."""
    sheet = inline_sheet(table)
    lines = [sheet.columns, *zip(*sheet.cells, strict=True)]
    return "".join(",".join(_cell(c) for c in line) + "\n" for line in lines)


def _inline_columns(table: spec.Table) -> tuple[str, ...]:
    used = {column for row in table.rows for column in row.cells}
    standard = ["name", "encapsulation", *table.key, *table.fields]
    always = {"name"} if not table.key else set(table.key)
    always |= set(table.fields) | ({"encapsulation"} if len(table.encapsulations) > 1 else set())
    return (*(c for c in standard if c in always | used), *sorted(used - set(standard)))


def _cell(text: str) -> str:
    if text[:1] == "#" or any(c in text for c in ' ,"\t'):
        return '"' + text.replace('"', '""') + '"'
    return text

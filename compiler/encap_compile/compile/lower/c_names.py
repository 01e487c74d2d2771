"""Names as they appear in the C."""

from __future__ import annotations

from re import compile as pattern

from ...common.fnv import fnv1a
from .. import ir
from ..identifiers import c_name, member_name

__all__ = ["c_name", "fnv1a", "identifier", "member_name", "named_row", "row_name_constant"]
_PLAIN_ROW = pattern(r"[a-z0-9]+(-[a-z0-9]+)*")


def row_name_constant(table: str, row: str) -> str:
    """The constant for a row that a rule names. A name that no identifier can hold is identified by its hash."""
    plain = f"ROW_{c_name(table).upper()}__{identifier(row)}"
    return plain if _PLAIN_ROW.fullmatch(row) else f"{plain}__{fnv1a(row):08X}"


def named_row(table: str, row: str) -> ir.NamedRow:
    return ir.NamedRow(row, row_name_constant(table, row), fnv1a(row))


def identifier(name: str) -> str:
    """Upper case, with `_` for what cannot stand in an identifier."""
    plain = "".join(c if c.isascii() and c.isalnum() else "_" for c in name).upper()
    return "_".join(part for part in plain.split("_") if part)

"""Names and places as they appear in the C."""

from __future__ import annotations

from pathlib import PurePath
from re import compile as pattern

from ..diagnostics import Place
from ..identifiers import c_name, fnv1a, member_name

__all__ = ["c_name", "fnv1a", "identifier", "member_name", "place_text", "row_name_constant"]
_PLAIN_ROW = pattern(r"[a-z0-9]+(-[a-z0-9]+)*")


def row_name_constant(table: str, row: str) -> str:
    """The constant for a row that a rule names. A name that no identifier can hold is told apart by its hash."""
    plain = f"ROW_{c_name(table).upper()}__{identifier(row)}"
    return plain if _PLAIN_ROW.fullmatch(row) else f"{plain}__{fnv1a(row):08X}"


def identifier(name: str) -> str:
    """Upper case, with `_` for what cannot stand in an identifier."""
    plain = "".join(c if c.isascii() and c.isalnum() else "_" for c in name).upper()
    return "_".join(part for part in plain.split("_") if part)


def place_text(place: Place) -> str:
    """FILE:LINE with the last part of the path alone, so that the bytes are the same in every folder."""
    return f"{PurePath(place.file).name}:{place.line}" if place.line else ""

"""Names and places as they appear in the C."""

from __future__ import annotations

from pathlib import PurePath
from re import compile as pattern

from .. import ir
from ..diagnostics import Place

_PLAIN = pattern(r"[a-z0-9_.-]+")


def c_name(name: str) -> str:
    """A C identifier from a name of the spec."""
    return name.replace("-", "_").replace(".", "_")


def row_name_constant(table: str, row: str) -> str:
    """The constant for a row that a rule names. A name that no identifier can hold is told apart by its hash."""
    plain = f"ROW_{identifier(table)}_{identifier(row)}"
    return plain if _PLAIN.fullmatch(row) else f"{plain}_{fnv1a(row):08X}"


def identifier(name: str) -> str:
    """Upper case, with `_` for what cannot stand in an identifier."""
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in name).upper()


def fnv1a(name: str) -> int:
    """FNV-1a, 32 bit, of a name in UTF-8: the same in every version of a spec, whatever else comes and goes."""
    value = 0x811C9DC5
    for byte in name.encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


def stack_constant(stack: ir.Stack) -> str:
    """The constant by which a row, or what was learned, says its layout."""
    return f"STACK_{stack.name}".upper()


def place_text(place: Place) -> str:
    """FILE:LINE with the last part of the path alone, so that the bytes are the same in every folder."""
    return f"{PurePath(place.file).name}:{place.line}" if place.line else ""

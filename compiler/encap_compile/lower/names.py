"""Names and places as they appear in the C."""

from __future__ import annotations

from pathlib import PurePath

from ..diagnostics import Place


def c_name(name: str) -> str:
    """A C identifier from a name of the spec."""
    return name.replace("-", "_").replace(".", "_")


def place_text(place: Place) -> str:
    """FILE:LINE with the last part of the path alone, so that the bytes are the same in every folder."""
    return f"{PurePath(place.file).name}:{place.line}" if place.line else ""

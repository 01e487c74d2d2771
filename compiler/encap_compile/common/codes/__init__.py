"""Every diagnostic code and what `explain CODE` of either program says about it.

The texts live in per-area modules (of this package, each with a dict `CODES`) and are merged when first asked for, so a
run without findings never loads them. The first letter is the area or the weight: E an error in a spec or its files,
W a warning about them, N a word that is not built yet, T the toolchain, H the machine, K the kernel, B the bundle.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ..record import Record

# Areas of other parts of the package; a part that is not installed has no codes.
AREAS = (
    "reading",
    "structure",
    "names",
    "headers",
    "rules",
    "rows",
    "later",
    "toolchain",
    "node",
    "routes",
    "side_by_side",
    "segmentation",
    "route_device",
    "routed_here",
    "in_force",
    "receiving",
    "machine",
)


FORMAT_VERSION = 1


class Explained(Record):
    """What a code means, why it is an error and how to mend it; `text` is plain text with an indented example."""

    title: str
    text: str


@cache
def all_codes() -> Mapping[str, Explained]:
    """Every code, sorted. Raises ValueError if two areas define one code."""
    merged: dict[str, Explained] = {}
    for area in AREAS:
        name = f"{__name__}.{area}"
        if find_spec(name) is None:
            continue
        table: Mapping[str, Explained] = import_module(name).CODES
        twice = merged.keys() & table.keys()
        if twice:
            raise ValueError(f"{name}: defined elsewhere too: {', '.join(sorted(twice))}")
        merged.update(table)
    return MappingProxyType(dict(sorted(merged.items())))


if TYPE_CHECKING:
    CODES: Mapping[str, Explained]


def __getattr__(name: str) -> Mapping[str, Explained]:
    if name == "CODES":
        return all_codes()
    raise AttributeError(name)


def explain(code: str) -> str:
    """The page for `explain CODE`. KeyError if there is no such code."""
    code = code.upper()
    found = all_codes()[code]
    return f"{code}: {found.title}\n\n{found.text.strip()}\n"


def document(code: str) -> dict[str, Any]:
    """The same for programs. KeyError if there is no such code."""
    found = all_codes()[code.upper()]
    return {"format_version": FORMAT_VERSION, "code": code.upper(), "title": found.title, "text": found.text.strip()}

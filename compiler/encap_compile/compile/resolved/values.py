"""The values that an encapsulation is given, each with the field it is for. Of any spec, also before it is checked."""

from __future__ import annotations

from collections.abc import Iterator

from ..headers.catalogue import FAMILIES, headers, resolve, settable
from ..headers.model import Field, FromSpec, Header
from ..spec import Encapsulation, HeaderUse, OptionUse, Reference, Value

IP_HEADERS = ("ip", *FAMILIES)
KEY_TYPES = {4: "u32", 8: "u64"}  # of options that a table may be keyed by


def uses(encapsulation: Encapsulation) -> Iterator[tuple[HeaderUse, str, Field, str, Value]]:
    """(header, word, field, value type, value) of every value that the spec gives."""
    for header in encapsulation.headers:
        fields = settable(header.name)
        for word, value in header.values.items():
            field = fields[word]
            yield header, word, field, value_type(header.name, field), value
        for option in header.options:
            field = option_field(option)
            yield header, option.name, field, field.type, option.value


def option_field(option: OptionUse) -> Field:
    """An option as if it were a field of its header."""
    role = FromSpec(f"bytes{option.length}", identifies=option.length in KEY_TYPES)
    return Field(option.name, 8 * option.length, role, "an option")


def value_type(header: str, field: Field) -> str:
    """The type of a field's value; under `ip`, addresses are of either family."""
    return "ip" if header == "ip" and field.type in FAMILIES else field.type


def possible_families(encapsulation: Encapsulation) -> tuple[str, ...]:
    """The outer families that the first header leaves open: both for `ip`."""
    first = encapsulation.headers[0].name
    return FAMILIES if first == "ip" else (first,) if first in FAMILIES else ()


def headers_called(name: str) -> tuple[Header, ...]:
    """The headers that a name may stand for."""
    return tuple(resolve(name, family) for family in FAMILIES) if name == "ip" else (headers()[name],)


def row_fields(encapsulation: Encapsulation) -> dict[str, Reference]:
    """The fields of rows that a stack refers to, each with its first use."""
    found: dict[str, Reference] = {}
    for _, _, _, _, value in uses(encapsulation):
        if isinstance(value, Reference) and value.root == "endpoint":
            found.setdefault(value.path[0], value)
    return found

"""The variable-length part of a header in tests: options by their names, and the whole part as bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ...common.values import ValueProblem, parse
from .. import ir
from ..headers.catalogue import headers
from ..headers.model import Options

OPAQUE = "opaque"  # the type of a whole part
_HELP = 'write bytes as quoted hexadecimal digits, two for each: "0a1b2c3d", or "" for none'


class VariableField(NamedTuple):
    """A field of a variable-length part: where it stands in it, and the type by which a value is written."""

    name: str
    offset: int
    size: int
    type: str
    shift: int = 0  # of a number within the bytes
    bits: int = 0


def typed(type_: str, value: int | str) -> int | bytes:
    """A value as its type has it. Raises ValueProblem."""
    if type_ == OPAQUE:
        return _hexadecimal(value)
    return parse(type_, value)


def _hexadecimal(value: int | str) -> bytes:
    if isinstance(value, str):
        try:
            return bytes.fromhex(value.removeprefix("0x"))
        except ValueError:
            pass
    raise ValueProblem("T131", f"`{value}` is no sequence of bytes", _HELP)


def part_of(stack: ir.Stack, layer: ir.Layer) -> ir.BoundedSegment | None:
    """The variable-length part of a header, if it has one."""
    variable = stack.variable
    return variable if variable is not None and variable.layer == layer.member else None


def option_of(stack: ir.Stack, layer: ir.Layer, name: str) -> ir.Option | None:
    part = part_of(stack, layer)
    options = part.options.options if part is not None and part.options is not None else ()
    return next((option for option in options if option.name == name), None)


def types(stack: ir.Stack, layer: ir.Layer) -> dict[str, str]:
    """The types of what can be named of a header's variable-length part."""
    part, described = part_of(stack, layer), headers()[layer.header].variable
    if part is None or described is None:
        return {}
    options = part.options.options if part.options is not None else ()
    return {described.name: OPAQUE, **{option.name: _type(option) for option in options}}


def _type(option: ir.Option) -> str:
    return f"bytes{4 * option.words}"


def fields(part: ir.BoundedSegment, layer: ir.Layer, data: bytes) -> Iterator[VariableField]:
    """What stands in a part: of options heads and data, those that the spec lists by their names; else all bytes."""
    described = headers()[layer.header].variable
    assert described is not None
    role = described.role
    if part.options is None or not isinstance(role, Options):
        yield VariableField(described.name, 0, len(data), OPAQUE)
        return
    listed = {option.head >> 8: option.name for option in part.options.options}
    at, size = 0, role.head.size
    while at + size <= len(data):
        head = int.from_bytes(data[at : at + size], "big")
        name = listed.get(head >> 8, "unlisted")
        shift = role.head.bits
        for field in role.head.fields:
            shift -= field.bits
            yield VariableField(f"{name}.{field.name}", at, size, f"u{field.bits}", shift, field.bits)
        length = 4 * (head & part.options.length)
        if length:
            yield VariableField(name, at + size, length, f"bytes{length}", 0, 8 * length)
        at += size + length

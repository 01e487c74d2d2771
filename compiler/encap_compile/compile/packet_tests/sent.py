"""The headers that a packet leaves in, field by field, read from their bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ...common.values import format_value
from .. import ir
from ..headers.catalogue import headers
from ..headers.model import Field, FromSpec
from ..model import Sent
from . import variable_part

TYPES = ("ipv4", "ipv6", "mac", "dscp")  # of fields that are written in another way than as a number


class SentField(NamedTuple):
    """`offset` is that of the word that the field is in, in bytes from the first outer one; `raw` are its bytes."""

    offset: int
    raw: bytes
    header: str  # the layer's member
    name: str
    type: str
    value: int | bytes  # bytes for addresses, and for a variable-length part that is no options

    @property
    def text(self) -> str:
        """As a spec would write it."""
        if self.type == variable_part.OPAQUE:
            return self.raw.hex()
        if isinstance(self.value, int):
            return f"0x{self.raw.hex()}" if self.type.startswith("bytes") else str(self.value)
        return format_value(self.type, self.value)


def field_type(field: Field) -> str:
    """The type by which a value of the field is written: `u` and its bits where it is a number."""
    if isinstance(field.role, FromSpec) and field.role.type in TYPES:
        return field.role.type
    return f"u{field.bits}"


def sent_fields(sent: Sent) -> list[SentField]:
    """Every field of the headers, in their order."""
    found: list[SentField] = []
    for segment, at, size in _spans(sent):
        if isinstance(segment, ir.FixedSegment):
            for layer in segment.layers:
                found += _of_layer(layer, sent.outer, at)
                at += layer.size
        else:
            found += _of_part(segment, _layer(sent.stack, segment), sent.outer[at : at + size], at)
    return found


def field_named(sent: Sent, layer: ir.Layer, name: str) -> SentField | None:
    """A field of a header, an option, or the whole of the header's variable-length part."""
    described = headers()[layer.header].variable
    if described is not None and name == described.name:
        for segment, at, size in _spans(sent):
            if isinstance(segment, ir.BoundedSegment) and segment.layer == layer.member:
                raw = sent.outer[at : at + size]
                return SentField(at, raw, layer.member, name, variable_part.OPAQUE, raw)
    return next((f for f in sent_fields(sent) if (f.header, f.name) == (layer.member, name)), None)


def _spans(sent: Sent) -> Iterator[tuple[ir.Segment, int, int]]:
    """Where each segment begins, and its bytes: those of a variable-length part are what the headers leave."""
    at = 0
    for segment in sent.stack.segments:
        size = segment.sent
        if isinstance(segment, ir.BoundedSegment):
            size = len(sent.outer) - sum(layer.size for layer in sent.stack.layers)
        yield segment, at, size
        at += size


def _layer(stack: ir.Stack, segment: ir.BoundedSegment) -> ir.Layer:
    return next(layer for layer in stack.layers if layer.member == segment.layer)


def _of_part(part: ir.BoundedSegment, layer: ir.Layer, data: bytes, begins: int) -> Iterator[SentField]:
    for field in variable_part.fields(part, layer, data):
        raw = data[field.offset : field.offset + field.size]
        value: int | bytes = raw
        if field.type != variable_part.OPAQUE:
            value = int.from_bytes(raw, "big") >> field.shift & (1 << field.bits) - 1
        if raw:
            yield SentField(begins + field.offset, raw, layer.member, field.name, field.type, value)


def _of_layer(layer: ir.Layer, outer: bytes, at: int) -> list[SentField]:
    found = []
    for word in layer.words:
        raw = outer[at : at + word.bits // 8]
        for part in word.parts:
            number = int.from_bytes(raw, "big") >> part.shift & (1 << part.bits) - 1
            type_ = field_type(headers()[layer.header].field(part.name))
            value = number.to_bytes(part.bits // 8, "big") if type_ in ("ipv4", "ipv6", "mac") else number
            found.append(SentField(at, raw, layer.member, part.name, type_, value))
        at += len(raw)
    return found

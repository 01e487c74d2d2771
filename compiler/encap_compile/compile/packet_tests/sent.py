"""The headers that a packet leaves in, field by field, read from their bytes."""

from __future__ import annotations

from typing import NamedTuple

from ...common.values import format_value
from .. import ir
from ..headers.catalogue import headers
from ..headers.model import Field, FromSpec
from ..model import Sent

TYPES = ("ipv4", "ipv6", "mac", "dscp")  # of fields that are written in another way than as a number


class SentField(NamedTuple):
    """`offset` is that of the word that the field is in, in bytes from the first outer one; `raw` are its bytes."""

    offset: int
    raw: bytes
    header: str  # the layer's member
    name: str
    type: str
    value: int | bytes  # bytes for addresses

    @property
    def text(self) -> str:
        """As a spec would write it."""
        return format_value(self.type, self.value) if isinstance(self.value, bytes) else str(self.value)


def field_type(field: Field) -> str:
    """The type by which a value of the field is written: `u` and its bits where it is a number."""
    if isinstance(field.role, FromSpec) and field.role.type in TYPES:
        return field.role.type
    return f"u{field.bits}"


def sent_fields(sent: Sent) -> list[SentField]:
    """Every field of the headers, in their order."""
    return [field for layer in sent.stack.layers for field in _of_layer(layer, sent.outer)]


def _of_layer(layer: ir.Layer, outer: bytes) -> list[SentField]:
    found, at = [], layer.offset
    for word in layer.words:
        raw = outer[at : at + word.bits // 8]
        for part in word.parts:
            number = int.from_bytes(raw, "big") >> part.shift & (1 << part.bits) - 1
            type_ = field_type(headers()[layer.header].field(part.name))
            value = number.to_bytes(part.bits // 8, "big") if type_ in ("ipv4", "ipv6", "mac") else number
            found.append(SentField(at, raw, layer.member, part.name, type_, value))
        at += len(raw)
    return found

"""At which level a value is fixed: for the whole stack, for each packet, or for each segment of a GSO packet."""

from enum import IntEnum
from typing import assert_never

from .layouts import Layer
from .sources import (
    ByInnerFamily,
    Checksum,
    ChecksumScope,
    FromFlow,
    FromHost,
    FromInner,
    FromRow,
    LengthFrom,
    Literal,
    Source,
)


class Level(IntEnum):
    """The higher one holds for what is made of several."""

    STACK = 1  # the spec, the host or the row says it: every packet of the stack has it
    PACKET = 2  # it is worked out of the inner packet: all segments of a GSO packet share it
    SEGMENT = 3  # each segment has its own: only the kernel, which cuts them, can write it


def level(source: Source) -> Level:
    """Of a value by itself. One over a header is at the level of the words there: see `levels`."""
    if isinstance(source, Literal | FromHost | FromRow):
        return Level.STACK
    if isinstance(source, FromInner | FromFlow | ByInnerFamily):
        return Level.PACKET
    if isinstance(source, LengthFrom):
        return Level.SEGMENT
    if isinstance(source, Checksum):
        return Level.STACK if source.scope is ChecksumScope.HEADER else Level.SEGMENT
    assert_never(source)


def levels(layer: Layer) -> dict[str, Level]:
    """Of every field of a header, by its name."""
    parts = [part for word in layer.words for part in word.parts]
    found = {part.name: level(part.source) for part in parts}
    highest = max(found.values())
    return {p.name: highest if isinstance(p.source, Checksum) else found[p.name] for p in parts}

"""The words of a received stack, where they stand in a frame."""

from __future__ import annotations

from dataclasses import dataclass, field

from .. import ir
from .packet import ETHER


@dataclass
class Received:
    """A stack as it came in. `extension`: bytes of options behind the outermost header; `variable`: of the
    variable-length part.

    `options` are the data of the listed options that were found, by the members that hold them.
    """

    stack: ir.Stack
    data: bytearray
    extension: int = 0
    variable: int = 0
    options: dict[str, bytes] = field(default_factory=dict)

    @property
    def fixed(self) -> int:
        """The bytes before a variable-length part, or of all headers."""
        return self.stack.before

    def begins(self, member: str) -> int:
        """Where a header begins in the frame."""
        layers, behind = self.stack.layers, self.stack.behind
        layer = next(x for x in layers if x.member == member)
        at = ETHER + (0 if layer is layers[0] else self.extension)
        if layer not in behind:
            return at + layer.offset
        return at + self.fixed + self.variable + sum(x.size for x in behind if x.offset < layer.offset)

    def where(self, member: str, word: str) -> tuple[int, int]:
        """(first byte in the frame, size) of a word."""
        layer = next(x for x in self.stack.layers if x.member == member)
        at = self.begins(member)
        for w in layer.words:
            if w.name == word:
                return at, w.bits // 8
            at += w.bits // 8
        raise KeyError(f"{member}.{word}")

    def raw(self, member: str, word: str) -> bytes:
        at, size = self.where(member, word)
        return bytes(self.data[at : at + size])

    @property
    def family(self) -> str:
        """Of the outermost header."""
        return self.stack.outer_family

    def number(self, field: ir.ReceivedField) -> int:
        return self.whole(field.layer, field.word) >> field.shift & (1 << field.bits) - 1

    def whole(self, member: str, word: str) -> int:
        """A word as a number."""
        return int.from_bytes(self.raw(member, word), "big")

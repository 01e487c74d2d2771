"""What the IR calls by the name of a constant, as its value. The only place where the model reads such names."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .. import ir

_NUMBER = re.compile(r"0x[0-9a-f]+|\d+")
_BIT = re.compile(r"\(1ULL << (\d+)\)")


class Constants:
    """Numbers by name; words of headers that are literal; the paths of cgroups by the constants of their bits."""

    def __init__(self, program: ir.Program) -> None:
        self.numbers = dict(_numbers(program))
        self.words = dict(_words(program))
        self.cgroups = {c.constant: c.path for c in program.owners.cgroups} if program.owners else {}

    def number(self, name: str) -> int:
        return self.numbers[name]


def _numbers(program: ir.Program) -> Iterator[tuple[str, int]]:
    for group in program.constants:
        for constant in group.constants:
            bit = _BIT.fullmatch(constant.value)
            plain = constant.value.removesuffix("ULL")
            if bit:
                yield constant.name, 1 << int(bit[1])
            elif _NUMBER.fullmatch(plain):
                yield constant.name, int(plain, 0)
    for stack in program.stacks:
        yield stack.overhead_constant, stack.overhead


def _words(program: ir.Program) -> Iterator[tuple[str, bytes]]:
    stacks = [*program.stacks, *(e.stack for e in program.egress.encapsulators)]
    for stack in stacks:
        for layer in stack.layers:
            for word in layer.words:
                if word.constant and all(isinstance(p.source, ir.Literal) for p in word.parts):
                    value = sum(p.source.value << p.shift for p in word.parts if isinstance(p.source, ir.Literal))
                    yield word.constant, value.to_bytes(word.bits // 8, "big")

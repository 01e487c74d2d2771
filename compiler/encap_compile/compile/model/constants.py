"""What the IR calls by the name of a constant, as its value. The only place where the model reads such names."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .. import ir

_NUMBER = re.compile(r"0x[0-9a-f]+|\d+")
_BIT = re.compile(r"\(1ULL << (\d+)\)")


class Constants:
    """Numbers by name; the paths of cgroups by the constants of their bits."""

    def __init__(self, program: ir.Program) -> None:
        self.numbers = dict(_numbers(program))
        self.cgroups = {c.constant: c.path for c in program.attribution.cgroups} if program.attribution else {}

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

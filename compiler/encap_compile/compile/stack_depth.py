"""How much of the BPF stack a program needs: the deepest chain of calls, as the verifier adds it up.

The kernel refuses a program whose frames take more than 512 bytes along any chain of calls (`check_max_stack_depth()`
in kernel/bpf/verifier.c). Each frame is rounded up to 32 bytes: newer kernels that compile the program round to 16
(since 6.8), and what fits by 32 fits by 16.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from struct import Struct
from typing import NamedTuple

from ..common.diagnostics import DiagnosedError, Diagnostic, Exit
from .elf import EXECINSTR, FUNCTION, SECTION, ElfObject, Relocation, Symbol, read_elf

MOST = 512  # MAX_BPF_STACK
ROUNDED = 32

_INSTRUCTION = Struct("<BBhi")
_FRAME = 10  # r10, the end of the frame
_CLASS = 7  # the bits of an operation that are its class
_LOAD, _STORES = 1, (2, 3)
_SET = (0, _LOAD, 4, 7)  # classes that write a register: loads, arithmetic of 32 and of 64 bits
_MOVE, _ADD, _CALL = 0xBF, 0x07, 0x85  # rX = rY; rX += imm; call
_CLOBBERED = range(6)  # r0 to r5, by a call
_TO_FUNCTION = 1  # BPF_PSEUDO_CALL, in the source register of a call


class Chain(NamedTuple):
    """Functions of which each calls the next one, and the bytes of stack that they take together."""

    names: tuple[str, ...]
    size: int


class _Function(NamedTuple):
    name: str
    frame: int
    calls: tuple[tuple[int, int], ...]  # where the called functions are: the section, and the offset in it


def check_stack_depth(data: bytes) -> None:
    """Raises DiagnosedError T111 for an object that the verifier would refuse for it."""
    chain = deepest_chain(data)
    if chain.size > MOST:
        called = ", which calls ".join(chain.names)
        words = f"the program takes {chain.size} bytes of stack, and the kernel allows {MOST}: {called}"
        help = "use fewer encapsulations in one spec; with a chosen clang, try the pinned one"
        raise DiagnosedError([Diagnostic("T111", words, help=help)], Exit.TOOLCHAIN)


def frames(data: bytes) -> dict[str, int]:
    """The bytes of stack of each function of an object. Raises MalformedObjectError."""
    return {function.name: function.frame for function in _functions(data).values()}


def deepest_chain(data: bytes) -> Chain:
    """Of the programs of an object. Raises MalformedObjectError."""
    functions = _functions(data)
    known: dict[tuple[int, int], Chain] = {}
    return max((_chain(place, functions, known) for place in functions), key=lambda c: c.size, default=Chain((), 0))


def _chain(
    place: tuple[int, int], functions: Mapping[tuple[int, int], _Function], known: dict[tuple[int, int], Chain]
) -> Chain:
    """The deepest one from the function at `place`. The C has no recursion, which the verifier would refuse."""
    if place not in known:
        function = functions[place]
        below = max(
            (_chain(called, functions, known) for called in function.calls if called in functions),
            key=lambda c: c.size,
            default=Chain((), 0),
        )
        known[place] = Chain(
            (function.name, *below.names), -(-max(function.frame, 1) // ROUNDED) * ROUNDED + below.size
        )
    return known[place]


def _functions(data: bytes) -> dict[tuple[int, int], _Function]:
    """By where they are: the section, and the offset in it."""
    elf = read_elf(data)
    return {
        (symbol.section, symbol.value): _function(elf, symbol)
        for symbol in elf.symbols
        if symbol.type == FUNCTION and elf.sections[symbol.section].flags & EXECINSTR
    }


def _function(elf: ElfObject, symbol: Symbol) -> _Function:
    code = elf.sections[symbol.section].data[symbol.value : symbol.value + symbol.size]
    relocations = {r.offset - symbol.value: r for r in elf.relocations.get(symbol.section, ())}
    return _Function(symbol.name, _frame(code), tuple(_calls(code, symbol, relocations)))


def _frame(code: bytes) -> int:
    """How far below the end of its frame a function reaches: its loads and stores, and the addresses that it takes."""
    lowest = 0
    offsets = {_FRAME: 0}  # from the end of the frame, of registers that point into it
    for operation, registers, offset, value in _INSTRUCTION.iter_unpack(code):
        to, source, kind = registers & 15, registers >> 4, operation & _CLASS
        pointer = to if kind in _STORES else source if kind == _LOAD else None
        if pointer in offsets:
            lowest = min(lowest, offsets[pointer] + offset)
        if operation == _MOVE and source in offsets:
            offsets[to] = offsets[source]
        elif operation == _ADD and to in offsets:
            offsets[to] += value
            lowest = min(lowest, offsets[to])
        elif operation == _CALL:
            for register in _CLOBBERED:
                offsets.pop(register, None)
        elif operation and kind in _SET:  # 0: the second half of a constant of 64 bits
            offsets.pop(to, None)
    return -lowest


def _calls(code: bytes, symbol: Symbol, relocations: Mapping[int, Relocation]) -> Iterator[tuple[int, int]]:
    """A call of a function in the same section has its place in it, one in another section is relocated."""
    for at, (operation, registers, _, value) in enumerate(_INSTRUCTION.iter_unpack(code)):
        if operation != _CALL or registers >> 4 != _TO_FUNCTION:
            continue
        here = at * _INSTRUCTION.size
        if here not in relocations:
            yield symbol.section, symbol.value + here + (value + 1) * _INSTRUCTION.size
            continue
        called = relocations[here].symbol
        yield called.section, called.value if called.type != SECTION else (value + 1) * _INSTRUCTION.size

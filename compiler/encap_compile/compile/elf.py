"""A relocatable ELF object of eBPF, as far as it says what runs: sections, symbols, relocations.

Little endian, 64 bits, as clang writes for `bpfel`. Reading needs no libbpf, so that the compiler can.
"""

from __future__ import annotations

import struct
from struct import Struct
from typing import NamedTuple

PROGBITS, SYMTAB, RELA, NOBITS, REL = 1, 2, 4, 8, 9  # section types
ALLOC, EXECINSTR = 2, 4  # section flags
FUNCTION, SECTION = 2, 3  # symbol types
GLOBAL = 1  # symbol binding

_HEADER = Struct("<16sHHIQQQIHHHHHH")
_SECTION = Struct("<IIQQQQIIQQ")
_SYMBOL = Struct("<IBBHQQ")
_RELOCATION = Struct("<QQ")
_IDENT = b"\x7fELF\x02\x01"  # 64 bits, little endian
_BPF = 247  # e_machine


class MalformedObjectError(ValueError):
    """Not such an object."""


class Section(NamedTuple):
    name: str
    type: int
    flags: int
    data: bytes  # empty for what has only a size
    size: int
    link: int
    info: int


class Symbol(NamedTuple):
    """`section` is the index of the one that it is in; 0 if it is in none."""

    name: str
    type: int
    binding: int
    section: int
    value: int
    size: int


class Relocation(NamedTuple):
    """The instruction at `offset` refers to `symbol`."""

    offset: int
    type: int
    symbol: Symbol


class ElfObject(NamedTuple):
    """`relocations` by the index of the section whose bytes they are for."""

    sections: tuple[Section, ...]
    symbols: tuple[Symbol, ...]
    relocations: dict[int, tuple[Relocation, ...]]

    def section(self, name: str) -> Section | None:
        return next((s for s in self.sections if s.name == name), None)


def read_elf(data: bytes) -> ElfObject:
    """Raises MalformedObjectError."""
    try:
        return _read(data)
    except (struct.error, IndexError, OverflowError, UnicodeDecodeError) as error:
        raise MalformedObjectError(f"not an object of eBPF: {error}") from None


def text_at(data: bytes, offset: int) -> str:
    """A string of a string table. Raises IndexError if it does not end in it."""
    end = data.find(b"\0", offset)
    if end < 0 or offset > len(data):
        raise IndexError("a name that does not end")
    return data[offset:end].decode()


def _read(data: bytes) -> ElfObject:
    ident, _, machine, _, _, _, table, _, _, _, _, size, count, names = _HEADER.unpack_from(data)
    if not ident.startswith(_IDENT) or machine != _BPF or size != _SECTION.size:
        raise MalformedObjectError("not an object of eBPF, 64 bits, little endian")
    raw = [_SECTION.unpack_from(data, table + n * size) for n in range(count)]
    strings = _bytes(data, raw[names])
    sections = tuple(
        Section(text_at(strings, name), kind, flags, _bytes(data, entry), length, link, info)
        for entry in raw
        for name, kind, flags, _, _, length, link, info, _, _ in (entry,)
    )
    symbols: tuple[Symbol, ...] = ()
    for section in sections:
        if section.type == SYMTAB:
            symbols = tuple(_symbols(section, sections))
    relocations: dict[int, tuple[Relocation, ...]] = {}
    for section in sections:
        if section.type == RELA:
            raise MalformedObjectError(f"relocations with addends in {section.name}")
        if section.type == REL:
            found = (_RELOCATION.unpack_from(section.data, at) for at in range(0, section.size, _RELOCATION.size))
            relocations[section.info] = tuple(
                Relocation(offset, info & 0xFFFFFFFF, symbols[info >> 32]) for offset, info in found
            )
    return ElfObject(sections, symbols, relocations)


def _bytes(data: bytes, entry: tuple[int, ...]) -> bytes:
    _, kind, _, _, offset, size, _, _, _, _ = entry
    if kind == NOBITS:
        return b""
    if offset + size > len(data):
        raise IndexError("a section beyond the end")
    return data[offset : offset + size]


def _symbols(table: Section, sections: tuple[Section, ...]) -> list[Symbol]:
    strings = sections[table.link].data
    found = []
    for at in range(0, table.size, _SYMBOL.size):
        name, info, _, section, value, size = _SYMBOL.unpack_from(table.data, at)
        where = section if section < len(sections) else 0
        found.append(Symbol(text_at(strings, name), info & 0xF, info >> 4, where, value, size))
    return found

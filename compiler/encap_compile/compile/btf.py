"""Definitions of maps in an object's type information (BTF): what `__uint` and `__type` say of each in `.maps`.

https://docs.kernel.org/bpf/btf.html
"""

from __future__ import annotations

import struct
from struct import Struct
from typing import NamedTuple

from .elf import MalformedObjectError, text_at

_HEADER = Struct("<HBBIIIII")
_TYPE = Struct("<III")
_ARRAY = Struct("<III")
_MEMBER = Struct("<III")
_VARIABLE = Struct("<III")
_MAGIC = 0xEB9F
INT, PTR, ARRAY, STRUCT, UNION, ENUM, FWD, TYPEDEF, VOLATILE, CONST, RESTRICT, FUNC, FUNC_PROTO = range(1, 14)
VAR, DATASEC, FLOAT, DECL_TAG, TYPE_TAG, ENUM64 = range(14, 20)
_NAMES = (TYPEDEF, VOLATILE, CONST, RESTRICT, TYPE_TAG)
_SIZED = (INT, STRUCT, UNION, ENUM, FLOAT, ENUM64)
_TAIL = {INT: 4, ARRAY: 12, VAR: 4, DECL_TAG: 4}  # bytes behind a type
_EACH = {STRUCT: 12, UNION: 12, ENUM: 8, FUNC_PROTO: 8, DATASEC: 12, ENUM64: 12}  # bytes for each of its members
DEEPEST = 32  # types, from one to what it is made of
MAPS = ".maps"


class _Type(NamedTuple):
    name: str
    kind: int
    size: int  # in bytes, or the number of the type that it is made of
    tail: bytes


def map_definitions(data: bytes) -> dict[str, dict[str, int]]:
    """By the map's name: its numbers (`max_entries`, `map_flags` ...), and the sizes of `key` and `value` in bytes.

    Raises MalformedObjectError.
    """
    try:
        return _Types(data).maps()
    except (struct.error, IndexError, OverflowError, UnicodeDecodeError) as error:
        raise MalformedObjectError(f"type information that cannot be read: {error}") from None


class _Types:
    def __init__(self, data: bytes) -> None:
        magic, _, _, header, types_at, types_size, strings_at, strings_size = _HEADER.unpack_from(data)
        if magic != _MAGIC:
            raise MalformedObjectError("no type information in little endian")
        self._strings = data[header + strings_at : header + strings_at + strings_size]
        self._types = [_Type("", 0, 0, b"")]  # type 0 is void
        body = data[header + types_at : header + types_at + types_size]
        at = 0
        while at < len(body):
            name, info, size = _TYPE.unpack_from(body, at)
            kind, count = info >> 24 & 0x1F, info & 0xFFFF
            at += _TYPE.size
            length = _TAIL.get(kind, 0) + count * _EACH.get(kind, 0)
            self._types.append(_Type(text_at(self._strings, name), kind, size, body[at : at + length]))
            at += length

    def maps(self) -> dict[str, dict[str, int]]:
        found = {}
        for section in (t for t in self._types if t.kind == DATASEC and t.name == MAPS):
            for number, _, _ in _VARIABLE.iter_unpack(section.tail):
                variable = self._types[number]
                found[variable.name] = self._definition(self._stripped(variable.size))
        return found

    def _definition(self, declared: _Type) -> dict[str, int]:
        members = ((text_at(self._strings, name), number) for name, number, _ in _MEMBER.iter_unpack(declared.tail))
        return {name: self._value(name, number) for name, number in members}

    def _value(self, name: str, number: int) -> int:
        """`__uint(name, N)` is a pointer to an array of N ints, `__type(name, T)` a pointer to T."""
        pointer = self._stripped(number)
        if pointer.kind != PTR:
            return self._size(number)
        target = self._stripped(pointer.size)
        if name not in ("key", "value") and target.kind == ARRAY:
            count: int = _ARRAY.unpack(target.tail)[2]
            return count
        return self._size(pointer.size)

    def _stripped(self, number: int) -> _Type:
        """The type behind its names and qualifiers."""
        for _ in range(DEEPEST):
            found = self._types[number]
            if found.kind not in _NAMES:
                return found
            number = found.size
        raise MalformedObjectError("types without an end")

    def _size(self, number: int) -> int:
        total = 1
        for _ in range(DEEPEST):
            found = self._stripped(number)
            if found.kind != ARRAY:
                return total * (8 if found.kind == PTR else found.size if found.kind in _SIZED else 0)
            number, _, count = _ARRAY.unpack(found.tail)
            total *= count
        raise MalformedObjectError("types without an end")

"""Parsed JSON into typed records. Members that a record does not have are ignored: a later release may write more of
them. All others must be of their type.
"""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from math import isfinite
from types import UnionType
from typing import Any, get_args, get_origin

LEAST, MOST = -(1 << 63), (1 << 64) - 1


class MalformedError(ValueError):
    """A part of the document is not what the format says; the message begins with its path."""


@cache
def _members(kind: type) -> dict[str, tuple[Any, bool]]:
    """Each member's type, and whether it must be there."""
    return {f.name: (f.type, f.default is MISSING and f.default_factory is MISSING) for f in fields(kind)}


def structured(kind: Any, value: Any, where: str) -> Any:
    """The value as a `kind`: a record with evaluated annotations, a tuple, list, dict, `X | None`, or a plain type.

    Raises MalformedError.
    """
    if is_dataclass(kind) and isinstance(kind, type):
        return _record(kind, value, where)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is UnionType:  # `X | None` is the only one
        return None if value is None else structured(arguments[0], value, where)
    if origin in (tuple, list):
        if not isinstance(value, list):
            raise MalformedError(f"{where}: a list is expected")
        if origin is list or arguments[1:] == (...,):
            return origin(structured(arguments[0], part, f"{where}[{i}]") for i, part in enumerate(value))
        if len(value) != len(arguments):
            raise MalformedError(f"{where}: {len(arguments)} values are expected")
        parts = zip(arguments, value, strict=True)
        return tuple(structured(one, part, f"{where}[{i}]") for i, (one, part) in enumerate(parts))
    if origin is dict:
        if not isinstance(value, dict):
            raise MalformedError(f"{where}: an object is expected")
        for name in value:
            _check_text(name, where)
        return {name: structured(arguments[1], part, f"{where}.{name}") for name, part in value.items()}
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:  # exactly: True is no number
        raise MalformedError(f"{where}: {kind.__name__} is expected")
    if kind is str:
        _check_text(value, where)
    elif kind is int and not LEAST <= value <= MOST:
        raise MalformedError(f"{where}: no number of 64 bits")
    elif kind is float and not isfinite(value):
        raise MalformedError(f"{where}: no finite number")
    return value


def _check_text(value: str, where: str) -> None:
    """What cannot be written or be a name anywhere: NUL, and halves of surrogate pairs."""
    if value.isascii():
        if "\0" in value:
            raise MalformedError(f"{where}: a NUL character")
        return
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise MalformedError(f"{where}: a character that is none")


def _record(kind: type, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise MalformedError(f"{where}: an object is expected")
    members = _members(kind)
    for name, (_, required) in members.items():
        if required and name not in value:
            raise MalformedError(f"{where}: `{name}` is missing")
    known = ((name, part) for name, part in value.items() if name in members)
    return kind(**{name: structured(members[name][0], part, f"{where}.{name}") for name, part in known})

"""Frozen records, made without generating code.

`@dataclass(frozen=True)` writes six methods for each class and compiles them, which takes up to a millisecond: for the
classes that a compile needs, a tenth of its time. A record is a dataclass too, for `fields`, `replace` and `asdict` and
for a type checker, but inherits these methods.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields
from typing import Any, ClassVar, dataclass_transform


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class Record:
    """The base of a record: annotated members, with defaults or `field(...)`, as in a frozen dataclass.

    Records are equal when they are of one class and all members are that have not `compare=False`.
    """

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    _names: ClassVar[tuple[str, ...]]
    _compared: ClassVar[tuple[str, ...]]
    _defaults: ClassVar[dict[str, Any]]
    _factories: ClassVar[dict[str, Callable[[], Any]]]

    def __init_subclass__(cls) -> None:
        dataclass(init=False, repr=False, eq=False)(cls)
        members = fields(cls)
        cls._names = tuple(m.name for m in members)
        cls._compared = tuple(m.name for m in members if m.compare)
        cls._defaults = {m.name: m.default for m in members if m.default is not MISSING}
        cls._factories = {m.name: m.default_factory for m in members if m.default_factory is not MISSING}

    def __init__(self, *values: Any, **named: Any) -> None:
        if len(values) == len(self._names) and not named:
            self.__dict__.update(zip(self._names, values))  # noqa: B905 - as many
            self.__post_init__()
            return
        given = dict(zip(self._names, values), **named)  # noqa: B905 - one too many is noticed by the count
        members = {**self._defaults, **given}
        for name, make in self._factories.items():
            if name not in given:
                members[name] = make()
        if len(given) != len(values) + len(named) or members.keys() != self.__dataclass_fields__.keys():
            wanted = ", ".join(self._names)
            raise TypeError(f"{type(self).__name__}({wanted}) was given {values!r} and {named!r}")
        self.__dict__.update(members)
        self.__post_init__()

    def __post_init__(self) -> None:
        """What a subclass has to say about its members' values."""

    def _values(self) -> tuple[Any, ...]:
        return tuple([self.__dict__[name] for name in self._compared])

    def __eq__(self, other: object) -> bool:
        return self._values() == other._values() if isinstance(other, type(self)) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        shown = (f"{m.name}={self.__dict__[m.name]!r}" for m in fields(self) if m.repr)
        return f"{type(self).__name__}({', '.join(shown)})"

    def __setattr__(self, name: str, value: Any) -> None:
        raise FrozenInstanceError(f"cannot assign to {name!r}")

    def __delattr__(self, name: str) -> None:
        raise FrozenInstanceError(f"cannot delete {name!r}")

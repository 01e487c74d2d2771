"""Named constants of the C."""

from typing import NamedTuple


class NamedConstant(NamedTuple):
    name: str
    value: str
    comment: str


class ConstantGroup(NamedTuple):
    title: str
    constants: tuple[NamedConstant, ...]

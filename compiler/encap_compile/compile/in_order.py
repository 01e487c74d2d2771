"""A spec in one order: that in which keys are written has no meaning, so it may reach no artifact.

Checks see what is written, because a message points at the second of two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TypeVar

from .spec import Encapsulation, Spec, Table

Value = TypeVar("Value")


def in_order(spec: Spec) -> Spec:
    """The same with host values, sets, encapsulations, tables, their fields and those of headers by name."""
    return replace(
        spec,
        host=_by_name(spec.host),
        sets=_by_name(spec.sets),
        encapsulations=_by_name({e.name: _encapsulation(e) for e in spec.encapsulations.values()}),
        endpoints=_by_name({t.name: _table(t) for t in spec.endpoints.values()}),
    )


def _by_name(members: Mapping[str, Value]) -> Mapping[str, Value]:
    return MappingProxyType(dict(sorted(members.items())))


def _encapsulation(encapsulation: Encapsulation) -> Encapsulation:
    headers = tuple(replace(use, values=_by_name(use.values)) for use in encapsulation.headers)
    return replace(encapsulation, headers=headers)


def _table(table: Table) -> Table:
    return replace(table, fields=_by_name(table.fields))

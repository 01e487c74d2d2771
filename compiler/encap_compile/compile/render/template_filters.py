"""What templates may ask of the program: every public function of these rooms. They print, and decide nothing."""

from __future__ import annotations

from collections.abc import Callable
from inspect import isfunction
from types import ModuleType
from typing import Any

from . import (
    accepted,
    attribution,
    counting,
    declarations,
    egress,
    encapsulate,
    guard,
    lookups,
    matches,
    own_stacks,
    packet,
    quoting,
    received,
    recognised,
    rule_values,
    variable_parts,
    ways,
)

ROOMS = (
    *(accepted, attribution, counting, declarations, egress, encapsulate, guard, lookups, matches),
    *(own_stacks, packet, quoting, received, recognised, rule_values, variable_parts, ways),
)


def filters_of(room: ModuleType) -> dict[str, Callable[..., Any]]:
    functions = {name: f for name, f in vars(room).items() if isfunction(f) and not name.startswith("_")}
    return {name: f for name, f in functions.items() if f.__module__ == room.__name__}


FILTERS = {name: f for room in ROOMS for name, f in filters_of(room).items()}

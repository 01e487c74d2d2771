"""On which line of the spec its parts are.

Artifacts name a part by its path (`egress.rules.web`), so that a comment in the spec changes none of them. Whoever has
the spec itself at its disposal shows a person the line.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath

from .spec import Spec


def positions(spec: Spec) -> dict[str, str]:
    """FILE:LINE of everything that a rule, a counter or a table is said to come from, by its path."""
    places = {"egress.default": spec.egress.default_place}
    places |= {rule.path: rule.place for rule in spec.egress.rules}
    places |= {rule.path: rule.place for rule in spec.connect}
    places |= {rule.path: rule.place for rule in spec.ingress.rules}
    places |= {encapsulation.path: encapsulation.place for encapsulation in spec.encapsulations.values()}
    places |= {table.path: table.place for table in spec.endpoints.values()}
    return {path: f"{PurePath(place.file).name}:{place.line}" for path, place in places.items() if place.line}


def line_of(path: str, known: Mapping[str, str]) -> str:
    """FILE:LINE of a part, or of what it is in; its path where neither is known."""
    around = path
    while around:
        if around in known:
            return known[around]
        around = around.rpartition(".")[0]
    return path

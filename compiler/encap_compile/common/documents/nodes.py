"""The YAML document as a tree of nodes that know where they stand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ..diagnostics import Place


@dataclass(slots=True)
class Node:
    """A value of the document. `kind` is the JSON schema type: null, boolean, integer, number, string, object, array.

    `value` is a plain Python value, of objects a dict of nodes, of arrays a list of nodes. `keys` are the places of an
    object's keys. `text` is a scalar as written. `size` counts nodes with every alias written out.
    """

    kind: str
    value: Any
    place: Place
    text: str = ""
    keys: dict[str, Place] = field(default_factory=dict)
    size: int = 1

    def get(self, key: str) -> Node | None:
        """A member of an object; None if it is not there, or this is no object."""
        return self.value.get(key) if self.kind == "object" else None

    def items(self) -> Iterator[tuple[str, Node]]:
        """Members of an object, in the order written."""
        return iter(self.value.items())

    def each(self) -> list[Node]:
        """The elements of an array; anything else is a list of one."""
        return list(self.value) if self.kind == "array" else [self]

    @property
    def start(self) -> Place:
        """The first key of an object, so that a caret does not underline all of it; else the node's own place."""
        for place in self.keys.values():
            return place
        return self.place

    def plain(self) -> Any:
        """Plain Python data, as a JSON schema validator wants it."""
        if self.kind == "object":
            return {key: node.plain() for key, node in self.value.items()}
        if self.kind == "array":
            return [node.plain() for node in self.value]
        return self.value

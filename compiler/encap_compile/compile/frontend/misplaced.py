"""Keys that stand one level too far out or in: valid YAML, and known to the schema, but of another mapping."""

from __future__ import annotations

from typing import Any, NamedTuple

from ...common.diagnostics import Findings, Place
from ...common.documents.nodes import Node
from .schema_words import PLACES

Schema = dict[str, Any]


class _Open(NamedTuple):
    """A mapping of the document with its schema. `key` and `place` are those of the key that it stands under."""

    node: Node
    schema: Schema
    context: str
    key: str
    place: Place


class Misplaced:
    """What is misplaced in a document that is wrong, so that nothing else is said about it; at first nothing."""

    def __init__(self, document: Schema, findings: Findings) -> None:
        self.document, self.findings = document, findings
        self.keys: set[Place] = set()  # of misplaced keys
        self.missing: set[tuple[int, str]] = set()  # what therefore seems to be missing: id of a mapping, key
        self.empty: set[int] = set()  # id of a node without value that they belong into

    def look(self, root: Node) -> None:
        """Find and report it (E121). A guess, so it is for documents alone in which the schema has found a fault."""
        self._walk(_Open(root, self.document, "", "", root.start), ())

    def _resolved(self, schema: Schema, context: str) -> tuple[Schema, str]:
        if "$ref" in schema:
            name: str = schema["$ref"].removeprefix("#/$defs/")
            return self.document["$defs"][name], name
        return schema, context

    def _walk(self, here: _Open, around: tuple[_Open, ...]) -> None:
        before: _Open | None = None
        for name, value in here.node.items() if here.node.kind == "object" else ():
            place = here.node.keys[name]
            schema = _member(here.schema, name)
            found, context = self._resolved(schema, here.context) if schema is not None else ({}, "")
            if schema is None or (name not in here.schema.get("properties", {}) and not _fits(value, found)):
                if before and self._outdented(name, place, before):
                    continue
                if self._indented(name, place, (*around, here)):
                    continue
            if schema is None:
                continue
            inner = _Open(value, found, context, name, place)
            before = inner
            if value.kind == "object":
                self._walk(inner, (*around, here))
            elif value.kind == "array" and "items" in found:
                for item in value.value:
                    of_item, of_context = self._resolved(found["items"], context)
                    self._walk(_Open(item, of_item, of_context, name, item.start), (*around, here))

    def _outdented(self, name: str, place: Place, before: _Open) -> bool:
        """Whether the key belongs into what stands before it: that, or the last mapping within."""
        inner: _Open | None = before
        while inner is not None and inner.node.kind in ("object", "null"):
            column = inner.node.start.column if inner.node.kind == "object" else inner.place.column + 2
            open_names = isinstance(inner.schema.get("additionalProperties"), dict) and inner.node.kind == "null"
            if inner.place.line < place.line and column > place.column:
                if name in inner.schema.get("properties", {}) and inner.node.get(name) is None:
                    self._report(name, place, inner, column)
                    return True
                if open_names and "object" in inner.schema.get("type", ""):
                    self._report(name, place, inner, column)
                    return True
            if inner.node.kind == "null" or not inner.node.value:
                return False
            last, value = list(inner.node.items())[-1]
            schema = _member(inner.schema, last)
            if schema is None:
                return False
            found, context = self._resolved(schema, inner.context)
            inner = _Open(value, found, context, last, inner.node.keys[last])
        return False

    def _indented(self, name: str, place: Place, around: tuple[_Open, ...]) -> bool:
        """Whether the key belongs to a mapping further out, and stands in a line of its own."""
        *outer, here = around
        for wanted in reversed(outer):
            column = wanted.node.start.column
            if name in wanted.schema.get("properties", {}) and wanted.node.get(name) is None:
                if place.line == here.place.line or column >= place.column:
                    return False
                self._report(name, place, wanted, column)
                return True
        return False

    def _report(self, name: str, place: Place, owner: _Open, column: int) -> None:
        self.keys.add(place)
        self.missing.add((id(owner.node), name))
        self.empty.add(id(owner.node))
        what = PLACES.get(owner.context, f"`{owner.key}`")
        known = name in owner.schema.get("properties", {})
        belongs = f"it is a key of {what}" if known else f"`{owner.key}` has no value"
        into = f", of `{owner.key}`" if owner.key and f"`{owner.key}`" not in belongs else ""
        self.findings.error(
            "E121",
            f"`{name}` begins in column {place.column}, where it belongs to something else",
            place,
            f"{belongs}{into}: begin it, and what is in it, in column {column}",
            related=((owner.place, "into this"),) if owner.key else (),
        )


def _member(schema: Schema, name: str) -> Schema | None:
    """The schema of a member; None for a key that the mapping does not have, under any condition."""
    found: Schema | None = schema.get("properties", {}).get(name)
    for branch in ("then", "else"):
        found = found if found is not None else schema.get(branch, {}).get("properties", {}).get(name)
    if found is None:
        others = schema.get("additionalProperties")
        found = others if isinstance(others, dict) else None
    return found


def _fits(node: Node, schema: Schema) -> bool:
    """Whether a value may be what the schema says, by its kind and its keys."""
    wanted = schema.get("type")
    if wanted is not None and node.kind not in ([wanted] if isinstance(wanted, str) else wanted):
        return False
    return node.kind != "object" or all(_member(schema, key) is not None for key, _ in node.items())

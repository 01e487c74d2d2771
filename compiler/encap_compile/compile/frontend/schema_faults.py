"""Where an error of jsonschema stands: in the document, which knows its places, and in the schema, which has names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ...common.diagnostics import Place
from ...common.documents.nodes import Node

if TYPE_CHECKING:
    from jsonschema import ValidationError

Schema = dict[str, Any]


class Fault(NamedTuple):
    """A keyword of the schema that a value does not satisfy."""

    keyword: str
    value: Any  # of the keyword
    path: tuple[object, ...]  # of the value in the document; a key that is wrong by itself has one more element
    node: Node
    key: str  # that the value stands under, also of an element of a list; "name" for a key that is wrong by itself
    key_places: tuple[Place, ...]  # of all keys that it stands under
    context: str  # the innermost name of `$defs`; "" for the root
    schema: Schema  # that has the keyword
    enclosing: Schema  # the same, with what stands around the condition that it is in
    conditional: bool  # said by `allOf`, `then` or `else`
    encapsulation: Node | None  # the list of headers that it stands in


def locate(error: ValidationError, root: Node, document: Schema) -> Fault:
    """Follow the error's two paths at the same time. jsonschema leaves `$ref` out of its own."""
    where = _Way(root, document)
    path = iter(error.absolute_path)
    steps = iter(list(error.absolute_schema_path)[:-1])
    for step in map(str, steps):
        if step in ("allOf", "then", "else"):
            where.condition(where.schema[step][next(steps)] if step == "allOf" else where.schema[step])
        elif step == "propertyNames":
            where.name(str(error.instance))
        else:
            key = next(path)
            schemas = where.schema[step]
            where.into(key, schemas[next(steps)] if step == "properties" else schemas)
    return Fault(
        str(error.validator),
        error.validator_value,
        tuple(where.path),
        where.node,
        where.key,
        tuple(where.key_places),
        where.context,
        where.schema,
        where.enclosing,
        where.conditional,
        where.encapsulation,
    )


class _Way:
    def __init__(self, root: Node, document: Schema) -> None:
        self.definitions = document.get("$defs", {})
        self.node, self.schema, self.enclosing = root, document, document
        self.path: list[object] = []
        self.key, self.context = "", ""
        self.key_places: list[Place] = []
        self.conditional = False
        self.encapsulation: Node | None = None

    def into(self, key: str | int, schema: Schema) -> None:
        """From an object to its member, or from an array to its element."""
        if isinstance(key, str):
            self.key_places.append(self.node.keys[key])
            self.key = key
        elif self.context == "encapsulation":
            self.encapsulation = self.node
        self.node = self.node.value[key]
        self.path.append(key)
        self._enter(schema)

    def name(self, key: str) -> None:
        """From an object to a key of it, validated as text."""
        names, place = self.schema["propertyNames"], self.node.keys[key]
        self.node = Node("string", key, place)
        self.key_places.append(place)
        self.path += [key, None]
        self.key = self.context = "name"
        self._enter(names)

    def condition(self, schema: Schema) -> None:
        """To what is asked of the same value, under a condition."""
        self.schema = self._resolved(schema)
        self.enclosing = {**self.enclosing, **self.schema}
        self.conditional = True

    def _enter(self, schema: Schema) -> None:
        self.schema = self.enclosing = self._resolved(schema)
        self.conditional = False

    def _resolved(self, schema: Schema) -> Schema:
        """What a reference stands for, with the examples beside it: they are of the very place."""
        while "$ref" in schema:
            self.context = schema["$ref"].removeprefix("#/$defs/")
            examples = {"examples": schema["examples"]} if "examples" in schema else {}
            schema = {**self.definitions[self.context], **examples}
        return schema

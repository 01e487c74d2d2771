"""Judges a document by the JSON schema, on nodes that know their place.

It knows the part of draft 2020-12 that `schema_document` uses, and says what a general validator cannot: which word
was meant, which is still to come, and what an example looks like.
"""

from __future__ import annotations

from re import search
from typing import Any

from ..diagnostics import Findings, Place
from ..documents.nodes import Node
from ..suggest import closest
from .later import later_key
from .misplaced import Misplaced
from .schema_words import (
    empty_help,
    enum_problem,
    example,
    missing_key,
    pattern_problem,
    too_many_keys,
    unknown_key,
    wrong_kind,
)

Schema = dict[str, Any]


def judge(root: Node, document: Schema, findings: Findings) -> None:
    """Everything in the document that the schema does not allow (E2, E4 and N9 codes)."""
    tables, private = _names(root, "endpoints"), _names(root, "headers")
    first = Findings()
    _Walk(document, first, tables, private, Misplaced(document, first)).node(root, document, "", "")
    if not first.errors:
        findings.extend(first.all)
        return
    misplaced = Misplaced(document, findings)
    misplaced.look(root)
    _Walk(document, findings, tables, private, misplaced).node(root, document, "", "")


def _names(root: Node, section: str) -> frozenset[str]:
    node = root.get(section)
    return frozenset(node.keys) if node else frozenset()


class _Walk:
    def __init__(
        self,
        document: Schema,
        findings: Findings,
        tables: frozenset[str],
        private: frozenset[str],
        misplaced: Misplaced,
    ) -> None:
        self.document, self.findings = document, findings
        self.tables, self.private = tables, private  # names of tables, and of private headers
        self.misplaced = misplaced
        self.lenient = False  # a header of a release to come may say what its neighbours need not

    def node(self, node: Node, schema: Schema, context: str, key: str) -> None:
        """`context` is the name of the innermost `$defs` entry; `key` the key (or what else) the node stands under."""
        if "$ref" in schema:
            name = schema["$ref"].removeprefix("#/$defs/")
            target = self.document["$defs"][name]
            self.node(node, {**target, **{k: v for k, v in schema.items() if k in ("examples",)}}, name, key)
            return
        if not self._kind(node, schema, context, key):
            return
        if not self._words(node, schema, context, key):
            return
        if node.kind == "integer":
            self._bounds(node, schema, key)
        elif node.kind == "array":
            self._array(node, schema, context, key)
        elif node.kind == "object":
            self._object(node, schema, context, key)
        if any(later_key(context, name) for name in node.keys):
            return  # a word of a release to come may stand for those that seem to be missing
        for part in schema.get("allOf", ()):
            self.node(node, part, context, key)
        if "if" in schema:
            branch = schema.get("then" if holds(node, schema["if"]) else "else", {})
            self._branch(node, branch, schema, context, key)

    def _branch(self, node: Node, branch: Schema, schema: Schema, context: str, key: str) -> None:
        problem = branch.get("x-problem")
        if problem is None and branch.keys() == {"required"}:
            self._required(node, {**schema, **branch}, context)
        elif problem is None:
            self.node(node, branch, context, key)
        elif not holds(node, branch):
            place = node.keys.get(problem.get("key", ""), node.start)
            self.findings.error(problem["code"], problem["message"], place, problem["help"])

    def _kind(self, node: Node, schema: Schema, context: str, key: str) -> bool:
        if "type" not in schema:
            return True
        wanted = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
        if node.kind in wanted or (node.kind == "integer" and "number" in wanted):
            return True
        if id(node) in self.misplaced.empty:
            return False
        problem = wrong_kind(node, wanted, context, key, schema, self.tables)
        self.findings.error(problem.code, problem.message, node.start, problem.help)
        return False

    def _words(self, node: Node, schema: Schema, context: str, key: str) -> bool:
        allowed = [schema["const"]] if "const" in schema else schema.get("enum")
        if allowed is not None and node.value not in allowed:
            problem = enum_problem(node, allowed, context, key, self.tables)
            self.findings.error(problem.code, problem.message, node.start, problem.help)
            return False
        if node.kind == "string":
            longest = schema.get("maxLength")
            if longest is not None and len(node.value) > longest:
                words = f"`{node.value[:longest]}...` has {len(node.value)} characters"
                self.findings.error("E208", words, node.place, f"{longest} is the most")
                return False
            if len(node.value) < schema.get("minLength", 0):
                self.findings.error("E207", f"`{key}` is empty", node.place, example(key, schema))
                return False
            if "pattern" in schema and not search(schema["pattern"].replace("$", r"\Z"), node.value):
                problem = pattern_problem(node, context, key, schema)
                self.findings.error(problem.code, problem.message, node.place, problem.help)
                return False
        return True

    def _bounds(self, node: Node, schema: Schema, key: str) -> None:
        low, high = schema.get("minimum"), schema.get("maximum")
        if (low is not None and node.value < low) or (high is not None and node.value > high):
            words = f"`{key}` cannot be {node.value}"
            self.findings.error("E209", words, node.place, f"it can be {low} to {high}")

    def _array(self, node: Node, schema: Schema, context: str, key: str) -> None:
        count = len(node.value)
        if count < schema.get("minItems", 0):
            self.findings.error("E207", f"`{key}` is an empty list", node.place, empty_help(context, key, schema))
        if count > schema.get("maxItems", count):
            extra = node.value[schema["maxItems"]]
            words = f"`{key}` has {count} elements"
            self.findings.error("E208", words, extra.start, f"{schema['maxItems']} is the most")
        if context == "encapsulation":
            self.lenient = any(self._later_header(name) for item in node.value for name in item.keys)
        for item in node.value if "items" in schema else ():
            self.node(item, schema["items"], context, key)
        self.lenient = False

    def _later_header(self, name: str) -> bool:
        return name in self.private or later_key("header", name) is not None

    def _object(self, node: Node, schema: Schema, context: str, key: str) -> None:
        properties, others = schema.get("properties", {}), schema.get("additionalProperties", True)
        for name, value in node.items():
            if node.keys[name] in self.misplaced.keys:
                continue
            if name in properties:
                self.node(value, properties[name], context, name)
            elif others is False:
                problem = unknown_key(context, name, properties, self.private)
                self.findings.error(problem.code, problem.message, node.keys[name], problem.help)
            else:
                if "propertyNames" in schema:
                    self.node(Node("string", name, node.keys[name]), schema["propertyNames"], "name", "name")
                if isinstance(others, dict):
                    self.node(value, others, context, name)
        self._required(node, schema, context)
        if len(node.value) < schema.get("minProperties", 0):
            words = "the mapping is empty" if context in ("row", "header") else f"`{key}` is an empty mapping"
            self.findings.error("E207", words, node.place, empty_help(context, key, schema))
        if len(node.value) > schema.get("maxProperties", len(node.value)):
            second: Place = list(node.keys.values())[schema["maxProperties"]]
            problem = too_many_keys(context, list(node.keys))
            self.findings.error(problem.code, problem.message, second, problem.help)

    def _required(self, node: Node, schema: Schema, context: str) -> None:
        """What must be there and is not, unless another key seems to be meant for it."""
        properties, others = schema.get("properties", {}), schema.get("additionalProperties", True)
        meant = (
            {closest(name, properties) for name in node.keys if name not in properties} if others is False else set()
        )
        for name in schema.get("required", ()):
            if node.get(name) is None and name not in meant and not self.lenient:
                if (id(node), name) in self.misplaced.missing:
                    continue
                problem = missing_key(context, name, properties.get(name, {}))
                self.findings.error(problem.code, problem.message, node.start, problem.help)


def holds(node: Node, schema: Schema) -> bool:
    """Whether a condition (`type`, `required`, `not`) holds."""
    if "type" in schema and node.kind not in schema["type"].split():
        return False
    if node.kind == "object" and any(node.get(name) is None for name in schema.get("required", ())):
        return False
    return not ("not" in schema and holds(node, schema["not"]))

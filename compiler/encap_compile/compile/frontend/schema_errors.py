"""What jsonschema found wrong in a document, as diagnostics: the place, the words, and what to do.

A validator reports every keyword that fails. A person needs one message for one mistake, so what follows from
another error is left out: a wrong type hides the value's other errors, a misspelt key the missing one that it stands
for, and a key in the wrong column both that it is unknown here and that it is missing there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from ...common.diagnostics import Diagnostic, Findings, Place
from ...common.documents.nodes import Node
from ...common.suggest import closest
from .later import later_key
from .misplaced import Misplaced
from .schema_faults import Fault, locate
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

if TYPE_CHECKING:
    from jsonschema import ValidationError

Schema = dict[str, Any]
# What is said about a value, in this order. Of the first ones, the first that fails says why the value is none at all.
ALONE = ("type", "const", "enum", "maxLength", "minLength", "pattern")
ORDER = (*ALONE, "additionalProperties", "required", "minProperties", "maxProperties")


def report(errors: Iterable[ValidationError], root: Node, document: Schema, findings: Findings) -> None:
    """Word the errors of a document that is wrong (E2, E4 and N9 codes)."""
    misplaced = Misplaced(document, findings)
    misplaced.look(root)
    words = _Words(frozenset(_names(root, "endpoints")), frozenset(_names(root, "headers")), misplaced)
    faults = [locate(error, root, document) for error in errors]
    alone: dict[tuple[object, ...], str] = {}
    for fault in faults:
        if fault.keyword in ALONE:
            before = alone.setdefault(fault.path, fault.keyword)
            alone[fault.path] = min(before, fault.keyword, key=ALONE.index)
    told: dict[Diagnostic, None] = {}
    for fault in sorted(faults, key=_order):
        if alone.get(fault.path, fault.keyword) == fault.keyword and not words.follows(fault):
            told.update(dict.fromkeys(words.of(fault)))
    for one in told:
        findings.error(one.code, one.message, one.place, one.help)


def _names(root: Node, section: str) -> Iterable[str]:
    node = root.get(section)
    return node.keys if node else ()


def _order(fault: Fault) -> tuple[bool, int]:
    return fault.conditional, ORDER.index(fault.keyword) if fault.keyword in ORDER else len(ORDER)


class _Words:
    """`tables` and `private` are the names of the spec's tables and of its private headers."""

    def __init__(self, tables: frozenset[str], private: frozenset[str], misplaced: Misplaced) -> None:
        self.tables, self.private, self.misplaced = tables, private, misplaced

    def follows(self, fault: Fault) -> bool:
        """Whether the error is there because of another one, which is reported."""
        if not self.misplaced.keys.isdisjoint(fault.key_places):
            return True
        # A word of a release to come may stand for those that seem to be missing.
        return fault.conditional and any(later_key(fault.context, name) for name in fault.node.keys)

    def of(self, fault: Fault) -> list[Diagnostic]:
        if "x-problem" in fault.schema:
            return [_told(fault)]
        word = WORDS.get(fault.keyword)
        return word(self, fault) if word else []

    def type(self, fault: Fault) -> list[Diagnostic]:
        if id(fault.node) in self.misplaced.empty:
            return []
        wanted = [fault.value] if isinstance(fault.value, str) else fault.value
        problem = wrong_kind(fault.node, wanted, fault.context, fault.key, fault.schema, self.tables)
        return [Diagnostic(problem.code, problem.message, fault.node.start, problem.help)]

    def enum(self, fault: Fault) -> list[Diagnostic]:
        allowed = [fault.value] if fault.keyword == "const" else fault.value
        problem = enum_problem(fault.node, allowed, fault.context, fault.key, self.tables)
        return [Diagnostic(problem.code, problem.message, fault.node.start, problem.help)]

    def unknown(self, fault: Fault) -> list[Diagnostic]:
        """Keys that a closed object does not have."""
        properties = fault.schema.get("properties", {})
        found = []
        for name, place in fault.node.keys.items():
            if name not in properties and place not in self.misplaced.keys:
                problem = unknown_key(fault.context, name, properties, self.private)
                found.append(Diagnostic(problem.code, problem.message, place, problem.help))
        return found

    def missing(self, fault: Fault) -> list[Diagnostic]:
        """All that is missing, though each missing key is an error: the same words are said once."""
        if self._stack_to_come(fault):
            return []
        node, schema = fault.node, fault.enclosing
        properties, others = schema.get("properties", {}), schema.get("additionalProperties", True)
        unknown = [name for name in node.keys if name not in properties] if others is False else []
        meant = {closest(name, properties) for name in unknown}
        found = []
        for name in fault.value:
            if name not in node.keys and name not in meant and (id(node), name) not in self.misplaced.missing:
                problem = missing_key(fault.context, name, properties.get(name, {}))
                found.append(Diagnostic(problem.code, problem.message, node.start, problem.help))
        return found

    def _stack_to_come(self, fault: Fault) -> bool:
        """A header of a release to come may say what its neighbours need not."""
        headers = fault.encapsulation.value if fault.encapsulation else ()
        return any(name in self.private or later_key("header", name) for header in headers for name in header.keys)


def _told(fault: Fault) -> Diagnostic:
    """Keys that need or exclude each other: the schema has the words."""
    problem = fault.schema["x-problem"]
    place = fault.node.keys.get(problem.get("key", ""), fault.node.start)
    return Diagnostic(problem["code"], problem["message"], place, problem["help"])


def _too_long(_: _Words, fault: Fault) -> list[Diagnostic]:
    text, longest = fault.node.value, fault.value
    words = f"`{text[:longest]}...` has {len(text)} characters"
    return [Diagnostic("E208", words, fault.node.place, f"{longest} is the most")]


def _empty_text(_: _Words, fault: Fault) -> list[Diagnostic]:
    return [Diagnostic("E207", f"`{fault.key}` is empty", fault.node.place, example(fault.key, fault.schema))]


def _pattern(_: _Words, fault: Fault) -> list[Diagnostic]:
    problem = pattern_problem(fault.node, fault.context, fault.key, fault.schema)
    return [Diagnostic(problem.code, problem.message, fault.node.place, problem.help)]


def _bounds(_: _Words, fault: Fault) -> list[Diagnostic]:
    help = f"it can be {fault.schema.get('minimum')} to {fault.schema.get('maximum')}"
    return [Diagnostic("E209", f"`{fault.key}` cannot be {fault.node.value}", fault.node.place, help)]


def _empty_list(_: _Words, fault: Fault) -> list[Diagnostic]:
    help = empty_help(fault.context, fault.key, fault.schema)
    return [Diagnostic("E207", f"`{fault.key}` is an empty list", fault.node.place, help)]


def _too_many(_: _Words, fault: Fault) -> list[Diagnostic]:
    words = f"`{fault.key}` has {len(fault.node.value)} elements"
    return [Diagnostic("E208", words, fault.node.value[fault.value].start, f"{fault.value} is the most")]


def _empty_mapping(_: _Words, fault: Fault) -> list[Diagnostic]:
    inner = fault.context in ("row", "header")
    words = "the mapping is empty" if inner else f"`{fault.key}` is an empty mapping"
    return [Diagnostic("E207", words, fault.node.place, empty_help(fault.context, fault.key, fault.schema))]


def _too_many_keys(_: _Words, fault: Fault) -> list[Diagnostic]:
    extra: Place = list(fault.node.keys.values())[fault.value]
    problem = too_many_keys(fault.context, list(fault.node.keys))
    return [Diagnostic(problem.code, problem.message, extra, problem.help)]


WORDS: dict[str, Callable[[_Words, Fault], list[Diagnostic]]] = {
    "type": _Words.type,
    "const": _Words.enum,
    "enum": _Words.enum,
    "maxLength": _too_long,
    "minLength": _empty_text,
    "pattern": _pattern,
    "minimum": _bounds,
    "maximum": _bounds,
    "minItems": _empty_list,
    "maxItems": _too_many,
    "additionalProperties": _Words.unknown,
    "required": _Words.missing,
    "minProperties": _empty_mapping,
    "maxProperties": _too_many_keys,
}

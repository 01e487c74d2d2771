"""Whether a document is what the schema says. jsonschema decides; `schema_errors` finds the words for what is wrong.

The import of jsonschema is a tenth of a compile, so it comes when a document is validated and not before: a bundle
that is up to date is found to be so without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from re import search
from typing import TYPE_CHECKING, Any

from ...common.diagnostics import DiagnosedError, Diagnostic, Exit, Findings, Place
from ...common.documents.nodes import Node
from ...common.rows.short import ShortFindings
from .schema_document import annotated_schema

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

Schema = dict[str, Any]


def validate(root: Node, findings: Findings) -> None:
    """Everything in the document that the schema does not allow (E2, E4 and N9 codes).

    Raises DiagnosedError (T110) for an error that has no words: the document is refused all the same.
    """
    errors = list(_validator().iter_errors(root.plain()))
    if not errors:
        return
    from .schema_errors import report

    found = ShortFindings()
    report(errors, root, annotated_schema(), found)
    if not found.errors:
        raise DiagnosedError([_wordless(errors[0], root.place)], Exit.BUG)
    findings.extend(found.all)


@cache
def _validator() -> Validator:
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    types = Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer)
    strict: type[Validator] = extend(  # type: ignore[no-untyped-call]
        Draft202012Validator, {"pattern": _pattern}, type_checker=types
    )
    return strict(annotated_schema())


def _is_integer(_checker: object, value: object) -> bool:
    """What YAML's core schema calls an integer. To JSON schema 1.0 is one too, and nothing behind it takes a float."""
    return isinstance(value, int) and not isinstance(value, bool)


def _pattern(_validator: object, wanted: str, value: object, _schema: object) -> Iterator[ValidationError]:
    """As ECMA 262 has it, which the schema is written in: Python's own `$` also matches before a last line end."""
    from jsonschema import ValidationError

    if isinstance(value, str) and not search(wanted.replace("$", r"\Z"), value):
        yield ValidationError(f"{value!r} does not match {wanted!r}")


def _wordless(error: ValidationError, whole: Place) -> Diagnostic:
    where = ".".join(map(str, error.absolute_path)) or "the document"
    words = f"the schema does not allow {where}: {error.message[:200]}"
    return Diagnostic("T110", words, Place(whole.file), "please report it with the spec: it should be said better")

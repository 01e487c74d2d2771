"""Literals and keywords that header fields are given."""

from __future__ import annotations

from ...common.diagnostics import Findings
from ...common.values import ValueProblem, format_value, parse
from ..headers.model import Field, FromSpec
from ..resolved.values import uses
from ..spec import Scalar, Spec


def check(spec: Spec, findings: Findings) -> None:
    """E411 to E418, E424, E425 as in `values`; E413 not a keyword; E419 a group address as the source MAC."""
    for encapsulation in spec.encapsulations.values():
        for header, word, field, kind, value in uses(encapsulation):
            if not isinstance(value, Scalar) or value.value in field.keywords:
                continue
            if kind == "ip":
                continue  # stacks: under `ip` no end is a literal
            try:
                _validate(value.value, word, field, kind)
            except ValueProblem as problem:
                words = f"{header.name}.{word}: {problem.message}"
                findings.error(problem.code, words, value.place, problem.help)


def _validate(value: int | str | bool, word: str, field: Field, kind: str) -> None:
    keywords = ", ".join(f"`{k}`" for k in field.keywords)
    if kind == "bytes":
        help = f"reflect it unchanged: `{word}: received.HEADER.{word}`"
        raise ValueProblem("E413", f"`{value}` cannot be said in a spec", help)
    if kind == "keyword":
        raise ValueProblem("E413", f"`{value}` is not a keyword here", f"it can be {keywords}")
    try:
        parsed = parse(kind, value)
    except ValueProblem as problem:
        if problem.code == "E411" and isinstance(value, str) and value.isalpha() and field.keywords:
            raise ValueProblem("E413", f"`{value}` is not a keyword here", f"it can be {keywords}") from None
        raise
    if isinstance(parsed, int):
        least = field.role.minimum if isinstance(field.role, FromSpec) else 0
        if parsed < least:
            raise ValueProblem("E412", f"{parsed} is out of range for {word}", f"the least is {least}")
    elif kind == "mac" and word == "source" and parsed[0] & 1:
        text = format_value("mac", parsed)
        raise ValueProblem("E419", f"{text} is a group address, and nothing is sent from one", "clear its lowest bit")

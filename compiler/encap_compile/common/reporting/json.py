"""For programs: one JSON document with a `format_version`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from ..diagnostics import Diagnostic, Place, Severity

FORMAT_VERSION = 1


def write(diagnostics: Sequence[Diagnostic], stream: TextIO, texts: Mapping[str, str], program: str) -> None:
    """`{"format_version": 1, "errors": N, "warnings": N, "diagnostics": [...]}`; a place is null when there is none."""
    stream.write(json.dumps(document(diagnostics), indent=2) + "\n")


def document(diagnostics: Sequence[Diagnostic]) -> dict[str, Any]:
    """The document as Python data, for callers that put it into a larger one."""
    return {
        "format_version": FORMAT_VERSION,
        "errors": sum(d.severity is Severity.ERROR for d in diagnostics),
        "warnings": sum(d.severity is Severity.WARNING for d in diagnostics),
        "diagnostics": [
            {
                "code": d.code,
                "severity": d.severity.value,
                "message": d.message,
                "help": d.help,
                "place": _place(d.place),
                "related": [{"place": _place(place), "message": words} for place, words in d.related],
            }
            for d in diagnostics
        ],
    }


def _place(place: Place) -> dict[str, Any] | None:
    if not place.file:
        return None
    return {"file": place.file, "line": place.line, "column": place.column, "end_column": place.end_column}

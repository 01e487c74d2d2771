"""SARIF 2.1.0 (OASIS), which code scanning services read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import PurePath
from typing import Any, TextIO
from urllib.parse import quote

from ..codes import all_codes
from ..diagnostics import Diagnostic, Place

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def write(diagnostics: Sequence[Diagnostic], stream: TextIO, texts: Mapping[str, str], program: str) -> None:
    """One run with the rules that were broken and a result for each diagnostic."""
    codes = sorted({d.code for d in diagnostics})
    index = {code: number for number, code in enumerate(codes)}
    log = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {"name": "encap-compile", "version": _version(), "rules": [_rule(code) for code in codes]}
                },
                "columnKind": "unicodeCodePoints",
                "results": [_result(d, index) for d in diagnostics],
            }
        ],
    }
    stream.write(json.dumps(log, indent=2) + "\n")


def _version() -> str:
    try:
        return version("encap-compile")
    except PackageNotFoundError:
        return "0"


def _rule(code: str) -> dict[str, Any]:
    explained = all_codes().get(code)
    if explained is None:
        return {"id": code}
    return {
        "id": code,
        "shortDescription": {"text": explained.title},
        "fullDescription": {"text": explained.text.strip()},
        "help": {"text": f"encap-compile explain {code}"},
    }


def _result(d: Diagnostic, index: Mapping[str, int]) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": d.code,
        "ruleIndex": index[d.code],
        "level": d.severity.value,
        "message": {"text": f"{d.message}\n{d.help}" if d.help else d.message},
    }
    if d.place.file:
        result["locations"] = [_location(d.place)]
    if d.related:
        result["relatedLocations"] = [{**_location(place), "message": {"text": words}} for place, words in d.related]
    return result


def _location(place: Place) -> dict[str, Any]:
    path = PurePath(place.file)
    uri = path.as_uri() if path.is_absolute() else quote(path.as_posix())
    physical: dict[str, Any] = {"artifactLocation": {"uri": uri}}
    if place.line:
        region = {"startLine": place.line, "startColumn": place.column, "endColumn": place.end_column}
        physical["region"] = {key: value for key, value in region.items() if value}
    return {"physicalLocation": physical}

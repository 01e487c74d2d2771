"""Workflow commands, which GitHub shows beside the lines of a pull request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TextIO

from ..diagnostics import Diagnostic, Severity

COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def write(diagnostics: Sequence[Diagnostic], stream: TextIO, texts: Mapping[str, str], program: str) -> None:
    """One `::error file=...::message` a line."""
    for d in diagnostics:
        properties = {
            "file": d.place.file,
            "line": d.place.line,
            "col": d.place.column,
            "endColumn": d.place.end_column,
        }
        given = [f"{key}={_property(str(value))}" for key, value in properties.items() if value]
        given.append(f"title={_property(d.code)}")
        words = f"{d.message}\n{d.help}" if d.help else d.message
        stream.write(f"::{COMMANDS[d.severity]} {','.join(given)}::{_data(words)}\n")


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")

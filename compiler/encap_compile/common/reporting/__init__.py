"""Diagnostics for people and machines: one `Diagnostic` type, one module per format, loaded only when used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import TextIO

from ..diagnostics import Diagnostic

FORMATS = ("text", "json", "github", "sarif")


def report(
    diagnostics: Iterable[Diagnostic],
    format: str,
    stream: TextIO,
    sources: Mapping[str, str] | None = None,
    program: str = "encap-compile",
) -> None:
    """Write diagnostics to `stream`. `sources` gives the text of files by path; others are read when a line is shown.
    `program` is the one whose `explain CODE` says more.

    json and sarif always write a document, also for no diagnostics; text and github then write nothing.
    Raises ValueError for an unknown format.
    """
    if format not in FORMATS:
        raise ValueError(f"unknown format {format!r}: one of {', '.join(FORMATS)}")
    import_module(f".{format}", __name__).write(tuple(diagnostics), stream, sources or {}, program)

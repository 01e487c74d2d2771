"""What every verb shares: how its results and its diagnostics are written."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any, Protocol

import click

from ...common import command_line
from ...common.diagnostics import Diagnostic

PROGRAM = "encapctl"


class Context:
    """What options of the whole program said."""

    format = "text"


def report(diagnostics: Sequence[Diagnostic], context: Context) -> None:
    """Write diagnostics that come with a result for people; for programs they are in the result's document."""
    if diagnostics and context.format != "json":
        command_line.report(diagnostics, "text", PROGRAM)


class Result(Protocol):
    """What the API answers with."""

    @property
    def text(self) -> str: ...

    @property
    def document(self) -> dict[str, Any]: ...


def show(result: Result, context: Context) -> None:
    """Write a result, before the diagnostics that come with it."""
    if context.format == "json":
        write_json(result.document)
        return
    click.echo(result.text, nl=False)
    sys.stdout.flush()


def write_json(document: dict[str, Any]) -> None:
    """Write a result to stdout as one document: `diagnostics` and their numbers are in every one."""
    from ...common.reporting.json import document as of_diagnostics

    click.echo(json.dumps({**of_diagnostics(()), **document}, indent=2))

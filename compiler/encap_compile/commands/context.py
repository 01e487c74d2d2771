"""What every verb shares: how its results and its diagnostics are written."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import click

from ..diagnostics import Diagnostic


class Context:
    """What options of the whole program said."""

    debug = False
    format = "text"


def report(diagnostics: Sequence[Diagnostic], context: Context) -> None:
    """Write diagnostics to stderr, in the form that the command line asked for."""
    from ..reporting import report as write

    write(diagnostics, "json" if context.format == "json" else "text", sys.stderr)


def write_json(document: dict[str, Any]) -> None:
    """Write a result to stdout as one document."""
    click.echo(json.dumps(document, indent=2))

"""What a run of `encap-compile` says: results on standard output, diagnostics, one exit code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from ..common import command_line
from ..common.diagnostics import DiagnosedError, Diagnostic, Exit, Severity


class Outcome:
    """Collects what a run says, so that every spec is checked before it ends, and one exit code comes out."""

    def __init__(self, format_: str) -> None:
        self.format = format_
        self.exit = Exit.DONE
        self.diagnostics: list[Diagnostic] = []
        self.results: dict[str, Any] = {}  # of the document that a program gets

    def run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except DiagnosedError as error:
            if error.__cause__ is not None:  # the system refuses: it would do so for the next spec
                raise
            self.diagnostics += error.diagnostics
            # A wrong spec outranks a stale artifact: there is nothing to compare with.
            self.exit = error.exit_code if self.exit in (Exit.DONE, Exit.DRIFT) else self.exit

    def bundle(self, **described: Any) -> None:
        self.results.setdefault("bundles", []).append(described)

    def say(self, text: str) -> None:
        """A result for people; a machine reads the document at the end."""
        if self.format == "text":
            click.echo(text)

    def show(self, text: str) -> None:
        """A result that is a text of its own, such as C: wherever standard output is no document."""
        if self.format not in command_line.DOCUMENTS:
            click.echo(text, nl=False)

    def finish(self) -> None:
        """Write the diagnostics and the results, and end the process."""
        if self.format == "json":
            import json

            from ..common.reporting.json import document

            click.echo(json.dumps({**document(self.diagnostics), **self.results}, indent=2))
        elif self.diagnostics or self.format == "sarif":
            command_line.report(self.diagnostics, self.format, "encap-compile")
        errors = any(d.severity is Severity.ERROR for d in self.diagnostics)
        raise SystemExit(int(self.exit or (Exit.SPEC if errors else Exit.DONE)))

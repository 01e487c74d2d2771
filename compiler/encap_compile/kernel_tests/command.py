"""`encap-compile test`."""

from __future__ import annotations

from functools import partial

import click

from ..common.diagnostics import Exit, Severity
from ..compile.cli import CLANG, FORMATS, SPECS
from ..compile.outcome import Outcome


@click.command("test")
@SPECS
@click.option("--require-coverage", is_flag=True, help="A rule that no test meets is an error.")
@click.option("--kernel", is_flag=True, help="Run them by the program too, in this machine's kernel. Needs root.")
@CLANG
@click.option(
    "--format",
    "format_",
    type=click.Choice((*FORMATS, "junit")),
    default="text",
    show_default=True,
    help="Form of results and diagnostics.",
)
def test(specs: tuple[str, ...], require_coverage: bool, kernel: bool, clang: str, format_: str) -> None:
    """Run the tests of SPECs by the model; exit 1 if one fails. It needs no privilege and builds nothing.

    With --kernel the program is built, loaded without being attached, and given the same packets: exit 70 if it does
    anything else than the model. What the kernel cannot show that way is skipped with its reason.
    """
    from ..compile.api.testing import junit
    from .api import test

    outcome = Outcome("text" if format_ == "junit" else format_)
    suites = []

    def one(path: str) -> None:
        tested = test(path, kernel=kernel, clang=clang)
        suites.append(tested)
        outcome.diagnostics += tested.warnings
        if format_ != "junit":
            outcome.say(tested.text)
        outcome.results.setdefault("suites", []).append(tested.document)
        if tested.disagreements:
            outcome.exit = Exit.BUG
        if tested.failed or (require_coverage and tested.unmet):
            outcome.exit = outcome.exit or Exit.SPEC
        if format_ not in ("text", "junit"):
            outcome.diagnostics += (*tested.failures, *tested.disagreements, *tested.skipped)
        if require_coverage:
            outcome.diagnostics += tested.uncovered

    for path in specs:
        outcome.run(partial(one, path))
    if format_ == "junit":
        click.echo(junit(suites, [d for d in outcome.diagnostics if d.severity is Severity.ERROR]))
    outcome.finish()

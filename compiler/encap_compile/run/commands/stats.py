"""`encapctl stats`."""

from __future__ import annotations

from pathlib import Path

import click

from ...common.diagnostics import Exit
from .arguments import BPFFS, BUNDLE, format_option, look
from .context import Context, report, write_json


@click.command("stats")
@BUNDLE
@BPFFS
@format_option("text", "json", "prometheus")
@click.pass_obj
def stats_command(context: Context, bundle: Path, bpffs: str, format_: str) -> int:
    """Show the counters of every rule and reason. Exit 3 if the bundle's programs do not run."""
    context.format = format_
    found = look(bundle, bpffs, format_)
    report(found.diagnostics, context)
    if format_ == "json":
        write_json(found.counters_document)
    else:
        click.echo(found.prometheus() if format_ == "prometheus" else found.counters_text, nl=False)
    return Exit.DONE if found.up else Exit.DRIFT

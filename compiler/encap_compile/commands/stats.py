"""`encapctl stats`."""

from __future__ import annotations

from pathlib import Path

import click

from ..diagnostics import Exit
from .context import Context, report, write_json
from .options import BPFFS, BUNDLE, format_option, look


@click.command("stats")
@BUNDLE
@BPFFS
@format_option("text", "json", "prometheus")
@click.pass_obj
def stats_command(context: Context, bundle: Path, bpffs: str, format_: str) -> int:
    """Show the counters of every rule and reason. Exit 3 if the bundle's programs do not run."""
    context.format = format_
    from ..views.prometheus import prometheus
    from ..views.status_view import counters_document, counters_text

    found = look(bundle, bpffs, format_)
    if found.unreadable is not None:
        report([found.unreadable.diagnostic(found.name)], context)
    if format_ == "json":
        write_json(counters_document(found))
    else:
        click.echo(prometheus(found) if format_ == "prometheus" else counters_text(found), nl=False)
    return Exit.DONE if found.up else Exit.DRIFT

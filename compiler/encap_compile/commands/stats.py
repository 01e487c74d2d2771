"""`encapctl stats`."""

from __future__ import annotations

from pathlib import Path

import click

from ..diagnostics import Exit
from .context import Context, write_json
from .options import BPFFS, BUNDLE, format_option, name_and_manifest


@click.command("stats")
@BUNDLE
@BPFFS
@format_option("text", "json", "prometheus")
@click.pass_obj
def stats_command(context: Context, bundle: Path, bpffs: str, format_: str) -> int:
    """Show the counters of every rule and reason."""
    context.format = format_
    from ..status import status
    from ..views import status_view

    found = status(*name_and_manifest(bundle), bpffs)
    if format_ == "json":
        write_json(status_view.counters_document(found))
    elif format_ == "prometheus":
        click.echo(status_view.counters_prometheus(found), nl=False)
    else:
        click.echo(status_view.counters_text(found), nl=False)
    return Exit.DONE

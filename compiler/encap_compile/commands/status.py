"""`encapctl status`."""

from __future__ import annotations

from pathlib import Path

import click

from ..diagnostics import Exit
from .context import Context, write_json
from .options import BPFFS, BUNDLE, format_option, look


@click.command("status")
@BUNDLE
@BPFFS
@click.option("--deep", is_flag=True, help="Read every map, and compare it with what was applied.")
@format_option("text", "json", "prometheus")
@click.pass_obj
def status_command(context: Context, bundle: Path, bpffs: str, deep: bool, format_: str) -> int:
    """Show what is in force, by bundle or by name. Exit 3 if it is not what was applied."""
    context.format = format_
    from ..views.prometheus import prometheus
    from ..views.status_view import status_document, status_text

    found = look(bundle, bpffs, format_, deep)
    if format_ == "json":
        write_json(status_document(found))
    else:
        click.echo(prometheus(found, counters=False) if format_ == "prometheus" else status_text(found), nl=False)
    return Exit.DRIFT if found.drift else Exit.DONE

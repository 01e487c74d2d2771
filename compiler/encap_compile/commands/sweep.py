"""`encapctl sweep`."""

from __future__ import annotations

import click

from ..diagnostics import Exit
from .context import Context, write_json
from .options import BPFFS, LOCK_TIMEOUT, format_option, patience


@click.command("sweep")
@BPFFS
@LOCK_TIMEOUT
@click.option("--check", is_flag=True, help="Take nothing away; exit 3 if there is something.")
@format_option("text", "json")
@click.pass_obj
def sweep_command(context: Context, bpffs: str, lock_timeout: float | None, check: bool, format_: str) -> int:
    """Take away what bundles left behind in network namespaces that are gone."""
    context.format = format_
    from ..sweep import sweep
    from ..views.sweep_view import swept_document, swept_text

    found = sweep(bpffs, check, patience(lock_timeout))
    write_json(swept_document(found, check)) if format_ == "json" else click.echo(swept_text(found, check), nl=False)
    return Exit.DRIFT if check and found else Exit.DONE

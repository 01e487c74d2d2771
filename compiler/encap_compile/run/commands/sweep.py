"""`encapctl sweep`."""

from __future__ import annotations

import click

from ...common.diagnostics import Exit
from .arguments import BPFFS, LOCK_TIMEOUT, format_option, waiting
from .context import Context, write_json


@click.command("sweep")
@BPFFS
@LOCK_TIMEOUT
@click.option("--check", is_flag=True, help="Take nothing away; exit 3 if there is something.")
@format_option("text", "json")
@click.pass_obj
def sweep_command(context: Context, bpffs: str, lock_timeout: float | None, check: bool, format_: str) -> int:
    """Take away what bundles left behind in network namespaces that are gone."""
    context.format = format_
    from ..loader.lock import Patience
    from ..sweep import sweep
    from ..views.sweep_view import swept_document, swept_text

    found = sweep(bpffs, check, Patience(lock_timeout, waiting))
    write_json(swept_document(found, check)) if format_ == "json" else click.echo(swept_text(found, check), nl=False)
    return Exit.DRIFT if check and found else Exit.DONE

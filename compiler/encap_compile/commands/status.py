"""`encapctl status`."""

from __future__ import annotations

from pathlib import Path

import click

from ..diagnostics import Exit
from .context import Context, write_json
from .options import BPFFS, BUNDLE, format_option, name_and_manifest


@click.command("status")
@BUNDLE
@BPFFS
@format_option("text", "json")
@click.pass_obj
def status_command(context: Context, bundle: Path, bpffs: str, format_: str) -> int:
    """Show what is in force, by bundle or by name. Exit 3 if it is not what was applied."""
    context.format = format_
    from ..status import status
    from ..views.status_view import status_document, status_text

    found = status(*name_and_manifest(bundle), bpffs)
    write_json(status_document(found)) if format_ == "json" else click.echo(status_text(found), nl=False)
    return Exit.DRIFT if found.drift else Exit.DONE

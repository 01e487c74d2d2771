"""`encapctl remove`."""

from __future__ import annotations

from pathlib import Path

import click

from ..diagnostics import Exit
from .context import Context, write_json
from .options import BPFFS, BUNDLE, LOCK_TIMEOUT, format_option, name_and_manifest, patience


@click.command("remove")
@BUNDLE
@BPFFS
@LOCK_TIMEOUT
@format_option("text", "json")
@click.pass_obj
def remove_command(context: Context, bundle: Path, bpffs: str, lock_timeout: float | None, format_: str) -> int:
    """Take a bundle off this machine, by bundle or by name, and say what then leaves in the clear."""
    context.format = format_
    from ..remove import remove
    from ..views.status_view import removed_document, removed_text

    removed = remove(*name_and_manifest(bundle), bpffs, patience(lock_timeout))
    write_json(removed_document(removed)) if format_ == "json" else click.echo(removed_text(removed), nl=False)
    return Exit.DONE

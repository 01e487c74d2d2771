"""`encapctl remove`."""

from __future__ import annotations

from pathlib import Path

import click

from ...common.diagnostics import Exit
from .arguments import BPFFS, BUNDLE, LOCK_TIMEOUT, format_option, waiting
from .context import Context, show


@click.command("remove")
@BUNDLE
@BPFFS
@LOCK_TIMEOUT
@format_option("text", "json")
@click.pass_obj
def remove_command(context: Context, bundle: Path, bpffs: str, lock_timeout: float | None, format_: str) -> int:
    """Remove a bundle from this machine, by bundle or by name, and say what then leaves unencapsulated."""
    context.format = format_
    from ..api.looking import remove

    show(remove(bundle, bpffs, lock_timeout, waiting), context)
    return Exit.DONE

"""`encapctl status`."""

from __future__ import annotations

from pathlib import Path

import click

from .arguments import BPFFS, format_option, look
from .context import Context, show


@click.command("status")
@click.argument("bundle", type=click.Path(path_type=Path), required=False)
@BPFFS
@click.option("--deep", is_flag=True, help="Read every map, and compare it with what was applied.")
@format_option("text", "json", "prometheus")
@click.pass_obj
def status_command(context: Context, bundle: Path | None, bpffs: str, deep: bool, format_: str) -> int:
    """Show what is in force: of a bundle, by folder or name, or of all that run here, a line each.

    Exit 3 if it is not what was applied.
    """
    context.format = format_
    if bundle is None:
        return _all(context, bpffs, deep, format_)
    found = look(bundle, bpffs, format_, deep)
    if format_ == "prometheus":
        click.echo(found.prometheus(counters=False), nl=False)
    else:
        show(found, context)
    return found.exit_code()


def _all(context: Context, bpffs: str, deep: bool, format_: str) -> int:
    from ..api.looking import overview

    if format_ == "prometheus":
        raise click.UsageError("--format prometheus: name the bundle")
    found = overview(bpffs, deep)
    show(found, context)
    return found.exit_code()

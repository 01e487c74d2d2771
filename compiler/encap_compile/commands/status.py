"""`encapctl status`."""

from __future__ import annotations

from pathlib import Path

import click

from ..diagnostics import Exit
from .context import Context, write_json
from .options import BPFFS, format_option, look


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
        return _all(bpffs, deep, format_)
    from ..views.prometheus import prometheus
    from ..views.status_view import status_document, status_text

    found = look(bundle, bpffs, format_, deep)
    if format_ == "json":
        write_json(status_document(found))
    else:
        click.echo(prometheus(found, counters=False) if format_ == "prometheus" else status_text(found), nl=False)
    return Exit.DRIFT if found.drift else Exit.DONE


def _all(bpffs: str, deep: bool, format_: str) -> int:
    from ..overview import overview
    from ..views.overview_view import overview_document, overview_text

    if format_ == "prometheus":
        raise click.UsageError("--format prometheus: name the bundle")
    found = overview(bpffs, deep)
    write_json(overview_document(found)) if format_ == "json" else click.echo(overview_text(found), nl=False)
    return Exit.DRIFT if found.drift else Exit.DONE

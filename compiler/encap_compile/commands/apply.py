"""`encapctl apply`."""

from __future__ import annotations

import sys
from typing import Any

import click

from ..diagnostics import Exit
from .context import Context, report, write_json
from .options import LOCK_TIMEOUT, format_option, request, requesting


@click.command("apply")
@requesting
@LOCK_TIMEOUT
@format_option("text", "json")
@click.pass_obj
def apply_command(context: Context, /, format_: str, **options: Any) -> int:
    """Make this machine run the bundle. Safe to run again, at the same time, and to kill at any point."""
    context.format = format_
    from ..apply import apply
    from ..views.plan_view import plan_document, plan_text

    applied = apply(request(context, **options))
    found = applied.plan
    if format_ == "json":
        write_json({**plan_document(found, None, found.findings.all), "seconds": round(applied.seconds, 3)})
    else:
        click.echo(plan_text(found, done=True, seconds=applied.seconds), nl=False)
        sys.stdout.flush()
        if found.findings.all:
            report(found.findings.all, context)
    return Exit.DONE

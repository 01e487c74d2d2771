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
    """Make this machine run the bundle. Safe to run again, at the same time, and to kill at any point.

    What plan would warn of, it warns of as well. That does not change the exit code, but for a filter before ours
    that ends the chain: exit 3, as of `status`.
    """
    context.format = format_
    from ..apply import apply
    from ..loader.routing import routes_after
    from ..views.plan_view import plan_document, plan_text

    applied = apply(request(**options))
    found, routes = applied.plan, routes_after(applied.plan.desired)
    diagnostics = [*found.findings.all, *routes.diagnostics]
    if format_ == "json":
        write_json({**plan_document(found, routes, diagnostics), "seconds": round(applied.seconds, 3)})
    else:
        click.echo(plan_text(found, routes, done=True, seconds=applied.seconds), nl=False)
        sys.stdout.flush()
        if diagnostics:
            report(diagnostics, context)
    return Exit.DRIFT if found.obstacles else Exit.DONE

"""`encapctl plan`."""

from __future__ import annotations

import sys
from typing import Any

import click

from ..diagnostics import Exit, Severity
from .context import Context, report, write_json
from .options import format_option, request, requesting


@click.command("plan")
@requesting
@click.option("--strict", is_flag=True, help="Exit 3 if there is a warning, too.")
@format_option("text", "json")
@click.pass_obj
def plan_command(context: Context, /, format_: str, strict: bool, **options: Any) -> int:
    """Show what apply would change, and check this machine's routes and MTUs. Exit 0: nothing, 3: a change."""
    context.format = format_
    from ..loader.routing import check_routes
    from ..plan import plan
    from ..views.plan_view import plan_document, plan_text

    found = plan(request(**options))
    routes = check_routes(found.desired)
    diagnostics = [*found.findings.all, *routes.diagnostics, *found.refused]
    if format_ == "json":
        write_json(plan_document(found, routes, diagnostics))
    else:
        click.echo(plan_text(found, routes), nl=False)
        sys.stdout.flush()
        if diagnostics:
            report(diagnostics, context)
    if found.refused and found.refusal is Exit.MACHINE:
        return Exit.MACHINE
    warned = any(d.severity is Severity.WARNING for d in diagnostics)
    return Exit.DRIFT if found.changed or found.obstacles or (strict and warned) else Exit.DONE

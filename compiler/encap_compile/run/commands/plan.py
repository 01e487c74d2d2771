"""`encapctl plan`."""

from __future__ import annotations

from typing import Any

import click

from .arguments import format_option, given, requesting
from .context import Context, report, show


@click.command("plan")
@requesting()
@click.option("--strict", is_flag=True, help="Exit 3 if there is a warning, too.")
@format_option("text", "json")
@click.pass_obj
def plan_command(context: Context, /, format_: str, strict: bool, **options: Any) -> int:
    """Show what apply would change, and check this machine's routes and MTUs. Exit 0: nothing, 3: a change."""
    context.format = format_
    from ..api.applying import plan

    found = plan(*given(**options))
    show(found, context)
    report(found.diagnostics, context)
    return found.exit_code(strict)

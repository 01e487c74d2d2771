"""`encapctl apply`."""

from __future__ import annotations

from typing import Any

import click

from .arguments import LOCK_TIMEOUT, format_option, given, requesting
from .context import Context, report, show


@click.command("apply")
@requesting()
@LOCK_TIMEOUT
@format_option("text", "json")
@click.pass_obj
def apply_command(context: Context, /, format_: str, **options: Any) -> int:
    """Make this machine run the bundle. Safe to run again, at the same time, and to kill at any point.

    What plan would warn of, it warns of as well. That does not change the exit code, but for a filter before ours
    that ends the chain: exit 3, as of `status`.
    """
    context.format = format_
    from ..api.applying import apply

    applied = apply(*given(**options))
    show(applied, context)
    report(applied.diagnostics, context)
    return applied.exit_code()

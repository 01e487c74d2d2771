"""`encapctl explain`."""

from __future__ import annotations

import click

from ...common.diagnostics import Exit
from .arguments import format_option
from .context import Context, write_json


@click.command("explain")
@click.argument("code")
@format_option("text", "json")
@click.pass_obj
def explain_command(context: Context, code: str, format_: str) -> int:
    """Say more about a diagnostic CODE: why it is one, and what to do."""
    context.format = format_
    from ...common import codes

    try:
        if format_ == "json":
            write_json(codes.document(code))
        else:
            click.echo(codes.explain(code), nl=False)
    except KeyError:
        from ...common.suggest import did_you_mean

        hint = did_you_mean(code.upper(), codes.all_codes(), "codes look like H101")
        raise click.UsageError(f"there is no code {code.upper()}: {hint}") from None
    return Exit.DONE

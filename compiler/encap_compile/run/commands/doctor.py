"""`encapctl doctor`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .arguments import format_option, given, requesting
from .context import Context, report, show


@click.command("doctor")
@requesting(optional=True)
@format_option("text", "json")
@click.pass_obj
def doctor_command(context: Context, /, format_: str, bundle: Path | None, **options: Any) -> int:
    """Say what is wrong with this machine, for BUNDLE if it is named, and which command mends it. Changes nothing.

    Exit 0: nothing, 3: something to mend; as of apply where that would refuse. Without privileges, it says what it
    could not see.
    """
    context.format = format_
    from ..api.examining import doctor

    named, chosen = given(bundle=bundle or Path(), **options)
    found = doctor(named if bundle is not None else None, chosen)
    show(found, context)
    report(found.diagnostics, context)
    return found.exit_code()

"""`encapctl watch`."""

from __future__ import annotations

import gc
import json
import sys
from typing import Any

import click

from ..diagnostics import Exit
from .context import Context, report
from .options import LOCK_TIMEOUT, format_option, request, requesting


@click.command("watch")
@requesting
@LOCK_TIMEOUT
@format_option("text", "json")
@click.pass_obj
def watch_command(context: Context, /, format_: str, **options: Any) -> int:
    """Apply the bundle and stay: apply again when a cgroup that it names comes, goes or is made anew.

    Ends with SIGTERM or SIGINT; what is in force stays. With --format json, a document a line.
    """
    context.format = format_
    from ..apply import Applied
    from ..views.plan_view import plan_text
    from ..views.watch_view import round_document, round_text
    from ..watch import Round, watch

    first: list[Applied] = []

    def say(done: Round) -> None:
        if format_ == "json":
            click.echo(json.dumps(round_document(done)))
        elif done.applied is None:
            report(done.failure, context)
            click.echo(f"encapctl: tried again in {done.retry:.0f} s", err=True)
        elif first:
            click.echo(round_text(done), nl=False)
        else:
            click.echo(plan_text(done.applied.plan, done=True, seconds=done.applied.seconds), nl=False)
            if done.applied.plan.findings.all:
                report(done.applied.plan.findings.all, context)
        if done.applied is not None and not first:
            first.append(done.applied)
        sys.stdout.flush()

    gc.enable()  # this one is not short
    watch(request(context, **options), say)
    return Exit.DONE

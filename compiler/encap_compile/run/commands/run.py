"""`encapctl run`, which earlier releases called `watch`."""

from __future__ import annotations

import gc
import json
import sys
from typing import Any

import click

from ...common.diagnostics import Exit
from .arguments import LOCK_TIMEOUT, format_option, given, requesting
from .context import Context, report


@click.command("run")
@requesting()
@LOCK_TIMEOUT
@click.option("--once", is_flag=True, help="End as soon as the bundle is applied.")
@format_option("text", "json")
@click.pass_obj
def run_command(context: Context, /, once: bool, format_: str, **options: Any) -> int:
    """Apply the bundle and stay: apply again when a device, an address, a cgroup or a file that it needs changes.

    A device that is late is waited for. Ends with SIGTERM or SIGINT; what is in force stays. Tells systemd how it
    stands (Type=notify). With --format json, a document a line.
    """
    context.format = format_
    from ..api.options import request
    from ..apply import Applied
    from ..service import READY, STOPPING, notify
    from ..views import counted
    from ..views.plan_view import plan_text
    from ..views.watch_view import round_document, round_text
    from ..watch import Round, watch

    first: list[Applied] = []

    def say(done: Round) -> None:
        if format_ == "json":
            click.echo(json.dumps(round_document(done)))
        elif done.applied is None:
            report(done.failure, context)
            closed = f", {counted(done.closed, 'prefix', 'prefixes')} closed until then" if done.closed else ""
            waiting = f"waiting for it{closed}; " if done.waits else ""
            click.echo(f"encapctl: {waiting}tried again in {done.retry:.0f} s", err=True)
        elif first:
            click.echo(round_text(done), nl=False)
        else:
            click.echo(plan_text(done.applied.plan, done=True, seconds=done.applied.seconds), nl=False)
            if done.applied.plan.findings.all:
                report(done.applied.plan.findings.all, context)
        tell(done)
        if done.applied is not None and not first:
            first.append(done.applied)
        sys.stdout.flush()

    def tell(done: Round) -> None:
        """The network may come up when this has been tried: what is late comes with it."""
        if done.applied is None:
            status = done.failure[0].message if done.failure else "failed"
            notify(READY, status=f"waiting: {status}" if done.waits else f"failed: {status}")
        else:
            manifest = done.applied.plan.desired.manifest
            notify(READY, status=f"{manifest.name} {manifest.identity[:8]} is in force")

    gc.enable()  # this one is not short
    watch(lambda: request(*given(**options)), say, once)
    notify(STOPPING)
    return Exit.DONE

"""Arguments and options that several verbs take, and what they mean."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...common import command_line
from ...common.diagnostics import DiagnosedError, Diagnostic
from .context import PROGRAM

if TYPE_CHECKING:
    from ..api.looking import Status
    from ..api.options import Options

Command = Callable[..., Any]
BUNDLE = click.argument("bundle", type=click.Path(path_type=Path))
BUNDLE_OR_NONE = click.argument("bundle", type=click.Path(path_type=Path), required=False)


def _pins_persist(_: click.Context, __: click.Parameter, given: bool) -> None:
    from ..kernel.bpffs import PERSIST_VARIABLE

    if given:
        os.environ[PERSIST_VARIABLE] = "1"


def BPFFS(command: Command) -> Command:  # noqa: N802 (an option as the others)
    """Where pins lie, and that they stay there where this cannot be seen."""
    persist = click.option(
        "--pins-persist",
        is_flag=True,
        expose_value=False,
        callback=_pins_persist,
        help="The bpf filesystem is the machine's, though a container cannot see that [ENCAP_PINS_PERSIST].",
    )
    where = click.option("--bpffs", default="", metavar="DIR", help="The bpf filesystem [ENCAP_BPFFS, /sys/fs/bpf].")
    return where(persist(command))


LOCK_TIMEOUT = click.option(
    "--lock-timeout",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="How long to wait for another run on this machine [for ever].",
)


def waiting(found: Diagnostic) -> None:
    """Say now, and not with the result, for whom a verb waits."""
    command_line.report([found], "text", PROGRAM)


def format_option(*words: str) -> Callable[[Command], Command]:
    return click.option(
        "--format", "format_", type=click.Choice(words), default="text", help="How results are written."
    )


def requesting(optional: bool = False) -> Callable[[Command], Command]:
    """A bundle, and what is said of it."""

    def decorate(command: Command) -> Command:
        for option in reversed((BUNDLE_OR_NONE if optional else BUNDLE, *_REQUEST)):
            command = option(command)
        return command

    return decorate


_REQUEST = (
    click.option("--host", "host_file", default="", metavar="FILE", help="Host values [/etc/encap/host.yaml]."),
    click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="NAME=VALUE",
        help="A host value; takes precedence over the file.",
    ),
    click.option("--rows", multiple=True, metavar="TABLE=FILE", help="Take a table's rows from this file."),
    click.option(
        "--attach",
        default="",
        type=click.Choice(["", "auto", "tcx", "clsact"]),
        show_choices=True,
        metavar="auto|tcx|clsact",
        help="How programs are attached [ENCAP_ATTACH, auto].",
    ),
    click.option("--kept", is_flag=True, help="BUNDLE is a name: take its copy that `encapctl unit` has written."),
    click.option(
        "--allow-overlap", is_flag=True, help="Apply also where another bundle's rules take the same packets."
    ),
    click.option(
        "--replace", default="", metavar="NAME", help="Take over the hooks, maps and state of another bundle."
    ),
    click.option(
        "--allow-removals",
        default="0",
        metavar="N|all",
        help="Let so many rows of each table go, where apply would refuse to remove as many.",
    ),
    BPFFS,
)


def given(
    bundle: Path,
    host_file: str,
    settings: tuple[str, ...],
    rows: tuple[str, ...],
    attach: str,
    bpffs: str,
    kept: bool,
    allow_overlap: bool,
    replace: str,
    allow_removals: str,
    lock_timeout: float | None = None,
) -> tuple[Path, Options]:
    """The bundle, and what `requesting` and LOCK_TIMEOUT have said of it."""
    from ..api.options import Options

    files: dict[str, Path] = {}
    for text in rows:
        table, equals, path = text.partition("=")
        if not equals or not table or not path:
            raise click.UsageError(f"--rows {text}: TABLE=FILE is expected")
        files[table] = Path(path)
    return bundle, Options(
        host_file=host_file,
        settings=settings,
        rows=files,
        attach=attach,
        bpffs=bpffs,
        kept=kept,
        allow_overlap=allow_overlap,
        replace=replace,
        allow_removals=_removals(allow_removals),
        lock_timeout=lock_timeout,
        waiting=waiting,
    )


def _removals(text: str) -> int | None:
    if text == "all":
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise click.UsageError(f"--allow-removals {text}: a number of rows or `all` is expected")
    return int(text)


def look(bundle: Path, bpffs: str, format_: str, deep: bool = False) -> Status:
    """What is in force. For Prometheus, a bundle that cannot be looked at is one that is down, and not an empty answer.

    Raises DiagnosedError.
    """
    from ..api.looking import named, status
    from ..views.prometheus import prometheus_down

    try:
        return status(bundle, bpffs, deep)
    except Exception:
        if format_ == "prometheus":
            name = bundle.name
            with suppress(DiagnosedError, OSError):
                name = named(bundle)[0]
            click.echo(prometheus_down(name), nl=False)
        raise

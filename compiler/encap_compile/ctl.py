"""`encapctl`: what a bundle would change on this machine, doing it, watching it, undoing it.

Results go to stdout, diagnostics to stderr. Nothing is imported before it is needed: `status` is run often.
"""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import __version__
from .diagnostics import DiagnosedError, Diagnostic, Exit

if TYPE_CHECKING:
    from .loader.desired import Request
    from .manifest import Manifest

LATER = ("rollback", "why", "drops", "trace", "endpoints")
_REPORT = "this is a bug of encapctl: please report it with the output of `--debug` to the project's issue tracker"


class Context:
    """What options of the whole program said."""

    debug = False
    format = "text"


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point: every way to end is an exit code and at most a diagnostic, never a traceback."""
    gc.disable()  # a short run over many rows: collecting would cost a tenth of it and free nothing
    sys.exit(run(sys.argv[1:] if arguments is None else list(arguments)))


def run(arguments: list[str]) -> int:
    """Run one command line; the exit code."""
    context = Context()
    context.debug = "--debug" in arguments
    words = [a for a in arguments if a != "--debug"]  # it may stand anywhere
    try:
        result = cli.main(args=words, prog_name="encapctl", standalone_mode=False, obj=context)
        return int(result) if isinstance(result, int) else Exit.DONE
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.ClickException as error:
        error.show()
        return Exit.USAGE
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; run it again to go on", err=True)
        return 130
    except DiagnosedError as error:
        _report(error.diagnostics, context)
        return error.exit_code
    except BrokenPipeError:
        sys.stderr.close()  # Python would complain about it once more
        return Exit.DONE
    except Exception as error:
        return _unexpected(error, context)


def _unexpected(error: Exception, context: Context) -> int:
    from .kernel.errors import KernelError, NotPermittedError

    if context.debug:
        import traceback

        traceback.print_exc()
    if isinstance(error, NotPermittedError):
        fix = "run it as root, or with CAP_BPF and CAP_NET_ADMIN in the first user namespace"
        _report([Diagnostic("H101", f"the kernel does not permit it: {error}", help=fix)], context)
        return Exit.MACHINE
    if isinstance(error, KernelError):
        _report([Diagnostic("K209", f"the kernel refused: {error}")], context)
        return Exit.KERNEL
    if isinstance(error, OSError):
        _report([_refused(error)], context)
        return Exit.MACHINE
    click.echo(f"encapctl: {type(error).__name__}: {error}\n{_REPORT}", err=True)
    return Exit.BUG


def _refused(error: OSError) -> Diagnostic:
    """H114: what the system did not let us do, as far as it says, and what a person can do about it."""
    import errno

    ways_out = {
        errno.ENOSPC: "make room there",
        errno.EDQUOT: "make room there",
        errno.EROFS: "name a place that can be written, with ENCAP_STATE or --bpffs",
        errno.EACCES: "run encapctl as root, and see who may write there",
        errno.EPERM: "run encapctl as root, and see who may write there",
        errno.EMFILE: "raise the limit on open files (`ulimit -n`)",
        errno.ENFILE: "raise the limit on open files (`sysctl fs.file-max`)",
        errno.ENOMEM: "free some memory",
        errno.ENOBUFS: "free some memory",
    }
    reason = error.strerror or str(error)
    words = f"{error.filename} cannot be used: {reason}" if error.filename else f"the system refused a call: {reason}"
    way_out = ways_out.get(error.errno or 0, "mend that")
    return Diagnostic("H114", words, help=f"{way_out}, then run the same command again; what ran before runs on")


def _report(diagnostics: Sequence[Diagnostic], context: Context) -> None:
    from .reporting import report

    report(diagnostics, "json" if context.format == "json" else "text", sys.stderr)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show a Python traceback with an unexpected error.")
@click.version_option(__version__, message="%(version)s")
def cli(**_: bool) -> None:
    """Put bundles that encap-compile built into this machine's hooks, and keep them there.

    A bundle is a directory, build/NAME. Everything is done in the network namespace that encapctl runs in.

    Environment: ENCAP_ATTACH (auto, tcx, clsact), ENCAP_BPFFS (/sys/fs/bpf), ENCAP_STATE (/run/encap),
    ENCAP_LIBBPF (libbpf.so.1).

    Exit codes: 0 done, 1 the bundle is wrong, 2 usage, 3 drift or pending change, 5 the kernel refused,
    6 this machine is not ready, 70 a bug of ours.
    """


Command = Callable[..., Any]
_BUNDLE = click.argument("bundle", type=click.Path(path_type=Path))
_BPFFS = click.option("--bpffs", default="", metavar="DIR", help="The bpf filesystem [ENCAP_BPFFS, /sys/fs/bpf].")


def _format(*words: str) -> Callable[[Command], Command]:
    return click.option(
        "--format", "format_", type=click.Choice(words), default="text", help="How results are written."
    )


def _requesting(command: Command) -> Command:
    for option in reversed(
        (
            _BUNDLE,
            click.option("--host", "host_file", default="", metavar="FILE", help="Host values [/etc/encap/host.yaml]."),
            click.option(
                "--set", "settings", multiple=True, metavar="NAME=VALUE", help="A host value; goes before the file."
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
            _BPFFS,
        )
    ):
        command = option(command)
    return command


@cli.command("plan")
@_requesting
@_format("text", "json")
@click.pass_obj
def plan_command(context: Context, /, format_: str, **options: Any) -> int:
    """Show what apply would change, and check this machine's routes and MTUs. Exit 0: nothing, 3: a change."""
    context.format = format_
    from .loader.routing import check_routes
    from .plan import plan
    from .views.plan_view import plan_document, plan_text

    found = plan(_request(**options))
    routes = check_routes(found.desired)
    diagnostics = [*found.findings.all, *routes.diagnostics]
    if format_ == "json":
        _json(plan_document(found, routes, diagnostics))
    else:
        click.echo(plan_text(found, routes), nl=False)
        sys.stdout.flush()
        if diagnostics:
            _report(diagnostics, context)
    return Exit.DRIFT if found.changed else Exit.DONE


@cli.command("apply")
@_requesting
@_format("text", "json")
@click.pass_obj
def apply_command(context: Context, /, format_: str, **options: Any) -> int:
    """Make this machine run the bundle. Safe to run again, at the same time, and to kill at any point."""
    context.format = format_
    from .apply import apply
    from .views.plan_view import plan_document, plan_text

    applied = apply(_request(**options))
    found = applied.plan
    if format_ == "json":
        _json({**plan_document(found, None, found.findings.all), "seconds": round(applied.seconds, 3)})
    else:
        click.echo(plan_text(found, done=True, seconds=applied.seconds), nl=False)
        sys.stdout.flush()
        if found.findings.all:
            _report(found.findings.all, context)
    return Exit.DONE


@cli.command("watch")
@_requesting
@_format("text", "json")
@click.pass_obj
def watch_command(context: Context, /, format_: str, **options: Any) -> int:
    """Apply the bundle and stay: apply again when a cgroup that it names comes, goes or is made anew.

    Ends with SIGTERM or SIGINT; what is in force stays. With --format json, a document a line.
    """
    context.format = format_
    from .apply import Applied
    from .views.plan_view import plan_text
    from .views.watch_view import round_document, round_text
    from .watch import Round, watch

    first: list[Applied] = []

    def say(done: Round) -> None:
        if format_ == "json":
            click.echo(json.dumps(round_document(done)))
        elif done.applied is None:
            _report(done.failure, context)
            click.echo(f"encapctl: tried again in {done.retry:.0f} s", err=True)
        elif first:
            click.echo(round_text(done), nl=False)
        else:
            click.echo(plan_text(done.applied.plan, done=True, seconds=done.applied.seconds), nl=False)
            if done.applied.plan.findings.all:
                _report(done.applied.plan.findings.all, context)
        if done.applied is not None and not first:
            first.append(done.applied)
        sys.stdout.flush()

    gc.enable()  # this one is not short
    watch(_request(**options), say)
    return Exit.DONE


@cli.command("status")
@_BUNDLE
@_BPFFS
@_format("text", "json")
@click.pass_obj
def status_command(context: Context, bundle: Path, bpffs: str, format_: str) -> int:
    """Show what is in force, by bundle or by name. Exit 3 if it is not what was applied."""
    context.format = format_
    from .status import status
    from .views.status_view import status_document, status_text

    found = status(*_name_and_manifest(bundle), bpffs)
    _json(status_document(found)) if format_ == "json" else click.echo(status_text(found), nl=False)
    return Exit.DRIFT if found.drift else Exit.DONE


@cli.command("stats")
@_BUNDLE
@_BPFFS
@_format("text", "json", "prometheus")
@click.pass_obj
def stats_command(context: Context, bundle: Path, bpffs: str, format_: str) -> int:
    """Show the counters of every rule and reason."""
    context.format = format_
    from .status import status
    from .views import status_view

    found = status(*_name_and_manifest(bundle), bpffs)
    if format_ == "json":
        _json(status_view.counters_document(found))
    elif format_ == "prometheus":
        click.echo(status_view.counters_prometheus(found), nl=False)
    else:
        click.echo(status_view.counters_text(found), nl=False)
    return Exit.DONE


@cli.command("remove")
@_BUNDLE
@_BPFFS
@_format("text", "json")
@click.pass_obj
def remove_command(context: Context, bundle: Path, bpffs: str, format_: str) -> int:
    """Take a bundle off this machine, by bundle or by name, and say what then leaves in the clear."""
    context.format = format_
    from .remove import remove
    from .views.status_view import removed_document, removed_text

    removed = remove(*_name_and_manifest(bundle), bpffs)
    _json(removed_document(removed)) if format_ == "json" else click.echo(removed_text(removed), nl=False)
    return Exit.DONE


@cli.command("sweep")
@_BPFFS
@click.option("--check", is_flag=True, help="Take nothing away; exit 3 if there is something.")
@_format("text", "json")
@click.pass_obj
def sweep_command(context: Context, bpffs: str, check: bool, format_: str) -> int:
    """Take away what bundles left behind in network namespaces that are gone."""
    context.format = format_
    from .sweep import sweep
    from .views.sweep_view import swept_document, swept_text

    found = sweep(bpffs, check)
    _json(swept_document(found, check)) if format_ == "json" else click.echo(swept_text(found, check), nl=False)
    return Exit.DRIFT if check and found else Exit.DONE


def _later(name: str) -> None:
    @cli.command(name, hidden=True, context_settings={"ignore_unknown_options": True})
    @click.argument("words", nargs=-1, type=click.UNPROCESSED)
    def refuse(words: tuple[str, ...]) -> None:
        words_ = f"`encapctl {name}` is not in this release"
        raise DiagnosedError([Diagnostic("H100", words_, help="`encapctl --help` lists what is")], Exit.USAGE)


for _name in LATER:
    _later(_name)


def _json(document: dict[str, Any]) -> None:
    click.echo(json.dumps(document, indent=2))


def _request(
    bundle: Path, host_file: str, settings: tuple[str, ...], rows: tuple[str, ...], attach: str, bpffs: str
) -> Request:
    from .loader.desired import Request

    files = {}
    for text in rows:
        table, equals, path = text.partition("=")
        if not equals or not table or not path:
            raise click.UsageError(f"--rows {text}: TABLE=FILE is expected")
        files[table] = Path(path)
    return Request(bundle, files, host_file, settings, attach, bpffs)


def _name_and_manifest(bundle: Path) -> tuple[str, Manifest | None]:
    """A bundle's directory, or the name of one that is applied."""
    from .loader.bundle import NAME, load_manifest

    if bundle.is_dir() or len(bundle.parts) > 1 or not NAME.fullmatch(str(bundle)):
        manifest = load_manifest(bundle)
        return manifest.name, manifest
    return str(bundle), None


if __name__ == "__main__":
    main()

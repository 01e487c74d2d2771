"""`encapctl`: what a bundle would change on this machine, doing it, watching it, undoing it.

Results go to stdout, diagnostics to stderr. The verbs are in `commands/`.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence

import click

from .commands.context import Context, report
from .commands.group import cli
from .diagnostics import DiagnosedError, Diagnostic, Exit
from .standard_streams import Streams
from .system_refusals import refusal

_REPORT = "this is a bug of encapctl: please report it with the output of `--debug` to the project's issue tracker"


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point: every way to end is an exit code and at most a diagnostic, never a traceback."""
    gc.disable()  # a short run over many rows: collecting would cost a tenth of it and free nothing
    words = sys.argv[1:] if arguments is None else list(arguments)
    sys.exit(Streams().run("encapctl", lambda streams: run(words, streams)))


def run(arguments: list[str], streams: Streams | None = None) -> int:
    """Run one command line; the exit code. `streams` are those of the process, if they are ours."""
    context = Context()
    context.debug = "--debug" in arguments
    words = [a for a in arguments if a != "--debug"]  # it may stand anywhere
    try:
        result = cli.main(args=words, prog_name="encapctl", standalone_mode=False, obj=context)
        return int(result) if isinstance(result, int) else Exit.DONE
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except SystemExit as leaving:  # click's own, where nobody reads the output any more
        return leaving.code if isinstance(leaving.code, int) else Exit.USAGE
    except click.ClickException as error:
        error.show()
        return Exit.USAGE
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; run it again to go on", err=True)
        return 130
    except DiagnosedError as error:
        report(error.diagnostics, context)
        return error.exit_code
    except Exception as error:
        if isinstance(error, OSError) and streams is not None and streams.failed():
            return Exit.DONE  # `Streams.run` says what has become of the result
        return _unexpected(error, context)


def _unexpected(error: Exception, context: Context) -> int:
    from .kernel.errors import KernelError, NotPermittedError

    if context.debug:
        import traceback

        traceback.print_exc()
    if isinstance(error, NotPermittedError):
        fix = "run it as root, or with CAP_BPF and CAP_NET_ADMIN in the first user namespace"
        report([Diagnostic("H101", f"the kernel does not permit it: {error}", help=fix)], context)
        return Exit.MACHINE
    if isinstance(error, KernelError):
        report([Diagnostic("K209", f"the kernel refused: {error}")], context)
        return Exit.KERNEL
    if isinstance(error, OSError | MemoryError):
        report([refusal(error)], context)
        return Exit.MACHINE
    click.echo(f"encapctl: {type(error).__name__}: {error}\n{_REPORT}", err=True)
    return Exit.BUG


if __name__ == "__main__":
    main()

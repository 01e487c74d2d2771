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

_REPORT = "this is a bug of encapctl: please report it with the output of `--debug` to the project's issue tracker"


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
        report(error.diagnostics, context)
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
        report([Diagnostic("H101", f"the kernel does not permit it: {error}", help=fix)], context)
        return Exit.MACHINE
    if isinstance(error, KernelError):
        report([Diagnostic("K209", f"the kernel refused: {error}")], context)
        return Exit.KERNEL
    if isinstance(error, OSError):
        report([_refused(error)], context)
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


if __name__ == "__main__":
    main()

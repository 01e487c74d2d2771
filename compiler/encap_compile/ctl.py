"""`encapctl`: what a bundle would change on this machine, doing it, watching it, undoing it.

Results go to stdout, diagnostics to stderr. The verbs are in `commands/`.
"""

from __future__ import annotations

from collections.abc import Sequence

from . import command_line
from .commands.context import PROGRAM, Context
from .commands.group import cli
from .diagnostics import Diagnostic, Exit
from .standard_streams import Streams


def main() -> None:
    """The entry point: every way to end is an exit code and at most a diagnostic, never a traceback."""
    command_line.main(PROGRAM, run)


def run(arguments: Sequence[str], streams: Streams | None = None) -> int:
    """Run one command line; the exit code. `streams` are those of the process, if they are ours."""
    return command_line.run(cli, PROGRAM, arguments, streams, Context(), _of_the_kernel)


def _of_the_kernel(error: Exception) -> command_line.Ending | None:
    from .kernel.errors import KernelError, NotPermittedError

    if isinstance(error, NotPermittedError):
        fix = "run it as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON in the first user namespace"
        return (Diagnostic("H101", f"the kernel does not permit it: {error}", help=fix),), Exit.MACHINE
    if isinstance(error, KernelError):
        return (Diagnostic("K209", f"the kernel refused: {error}"),), Exit.KERNEL
    return None


if __name__ == "__main__":
    main()

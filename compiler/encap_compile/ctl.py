"""`encapctl`: what a bundle would change on this machine, doing it, watching it, undoing it.

Results go to stdout, diagnostics to stderr. The verbs are in `run/commands/`.
"""

from __future__ import annotations

from collections.abc import Sequence

from .common import command_line
from .common.standard_streams import Streams
from .run.commands.context import PROGRAM, Context
from .run.commands.group import cli


def main() -> None:
    """The entry point: every way to end is an exit code and at most a diagnostic, never a traceback."""
    command_line.main(PROGRAM, run)


def run(arguments: Sequence[str], streams: Streams | None = None) -> int:
    """Run one command line; the exit code. `streams` are those of the process, if they are ours."""
    return command_line.run(cli, PROGRAM, arguments, streams, Context(), _of_the_kernel)


def _of_the_kernel(error: Exception) -> command_line.Ending | None:
    from .run.api.kernel_errors import diagnosis

    known = diagnosis(error)
    return (known.diagnostics, known.exit_code) if known else None


if __name__ == "__main__":
    main()

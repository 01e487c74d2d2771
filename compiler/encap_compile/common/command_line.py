"""What both programs do with a command line: an exit code, diagnostics and never a traceback.

The rule for `--format json` and `sarif`: standard output is exactly one document, also for a command line that is not
understood, a run that is interrupted, and a bug of ours. Only `encapctl run` writes more, a document a line.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, NoReturn

import click

from .diagnostics import DiagnosedError, Diagnostic, Exit
from .standard_streams import Streams

INTERRUPTED = 130  # as a shell reports SIGINT
DEBUG = "--debug"
DOCUMENTS = ("json", "sarif")  # formats whose diagnostics are a document on standard output

Ending = tuple[tuple[Diagnostic, ...], int]


class Asked(NamedTuple):
    """What the arguments say before they are parsed, and also when they cannot be: `words` are the others."""

    words: tuple[str, ...]
    format: str
    debug: bool


def asked(arguments: Sequence[str]) -> Asked:
    """`--debug` and `--format` may stand anywhere before `--`."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    options = [word for word in arguments[:end] if word != DEBUG]
    form = "text"
    for word, following in zip(options, (*options[1:], ""), strict=False):
        if word == "--format" or word.startswith("--format="):
            form = word.partition("=")[2] or following
    known = form if form in (*DOCUMENTS, "github") else "text"
    return Asked((*options, *arguments[end:]), known, DEBUG in arguments[:end])


def debug_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--debug` for the help text: it is taken out of the arguments before they are parsed."""
    return click.option(
        DEBUG,
        is_flag=True,
        expose_value=False,
        help="Show a Python traceback with an unexpected error. Stands anywhere.",
    )(command)


def run(
    group: click.Group,
    program: str,
    arguments: Sequence[str],
    streams: Streams | None = None,
    context: object = None,
    known: Callable[[Exception], Ending | None] = lambda _: None,
) -> int:
    """Run one command line; the exit code. `known` are errors of the program's own, `streams` those of the process."""
    this = asked(arguments)
    try:
        result = group.main(args=list(this.words), prog_name=program, standalone_mode=False, obj=context)
        return int(result) if isinstance(result, int) else Exit.DONE
    except SystemExit as leaving:  # also click's own, where nobody reads the output any more
        return leaving.code if isinstance(leaving.code, int) else Exit.USAGE
    except click.ClickException as error:
        if this.format == "text":
            error.show()
            if hint := _hint(error, this.words):
                click.echo(hint, err=True)
            return Exit.USAGE
        diagnostics, code = _usage(error, program, this.words)
    except (click.Abort, KeyboardInterrupt):
        help = "run it again to go on"
        diagnostics, code = (Diagnostic("T122", f"{program} was interrupted", help=help),), INTERRUPTED
    except DiagnosedError as error:
        if this.debug and error.__cause__ is not None:
            import traceback

            traceback.print_exception(error.__cause__)
        diagnostics, code = error.diagnostics, error.exit_code
    except Exception as error:
        if isinstance(error, OSError) and streams is not None and streams.failed():
            return Exit.DONE  # `Streams.run` says what has become of the result
        if this.debug:
            import traceback

            traceback.print_exc()
        diagnostics, code = known(error) or _unexpected(error, program)
    report(diagnostics, this.format, program)
    return code


def report(diagnostics: Sequence[Diagnostic], format: str, program: str) -> None:
    """Write diagnostics where the format has them: a document to standard output, lines to standard error."""
    from .reporting import report as write

    write(diagnostics, format, sys.stdout if format in DOCUMENTS else sys.stderr, program=program)


def _usage(error: click.ClickException, program: str, words: Sequence[str]) -> Ending:
    path = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else program
    help = _hint(error, words) or f"`{path} --help` says what is expected"
    return (Diagnostic("T121", error.format_message(), help=help),), Exit.USAGE


def _hint(error: click.ClickException, words: Sequence[str]) -> str:
    """The likely mistake, where click's words do not tell."""
    if "extra argument" in error.message and "=" in error.message and "--set" in words:
        return "each NAME=VALUE needs a --set of its own; several values of one name: --set NAME=ONE,TWO"
    return ""


def _unexpected(error: Exception, program: str) -> Ending:
    if isinstance(error, OSError | MemoryError):
        from .system_refusals import refusal

        return (refusal(error),), Exit.MACHINE
    words = f"a bug of {program}: {type(error).__name__}: {error}"
    help = f"please report it to the project's issue tracker, with the output of the same command and `{DEBUG}`"
    return (Diagnostic("T123", words, help=help),), Exit.BUG


def main(program: str, work: Callable[[Sequence[str], Streams], int]) -> NoReturn:
    """The entry point of a program: run `work` on the process's arguments, and end with its exit code."""
    import gc

    gc.disable()  # a run is short and makes hardly any cycles; looking for them, here and at the end, is a tenth of it
    code = Streams().run(program, lambda streams: work(sys.argv[1:], streams))
    gc.freeze()
    sys.exit(code)

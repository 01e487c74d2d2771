"""Formatting the C with the pinned clang-format, so that any spec's C is laid out as a person would."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from ...common.diagnostics import DiagnosedError, Diagnostic, Exit
from .process import Done, Process


def format_c(text: str, style: Path) -> str:
    """`text` in the style of the file `style`. Raises DiagnosedError T106 without the tool."""
    with start_format(text, style) as formatting:
        return formatted(formatting.done())


def start_format(text: str, style: Path) -> Process:
    """Start clang-format on `text`. Raises DiagnosedError T106 without the tool."""
    try:
        return Process([_tool(), f"--style=file:{style}", "--assume-filename=program.bpf.c"], text.encode())
    except OSError as error:
        raise _error(f"the pinned clang-format cannot be run: {error.strerror}") from None


def formatted(done: Done) -> str:
    """What it made of the text. Raises DiagnosedError T106."""
    if done.returncode:
        raise _error(f"clang-format failed: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout.decode()


def _tool() -> str:
    spec = find_spec("clang_format")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        tool = Path(folder) / "data" / "bin" / "clang-format"
        if tool.exists():
            return str(tool)
    raise _error("the pinned clang-format is not installed")


def _error(message: str) -> DiagnosedError:
    help = "install the wheel `clang-format` (it comes with encap-compile)"
    return DiagnosedError([Diagnostic("T106", message, help=help)], Exit.TOOLCHAIN)

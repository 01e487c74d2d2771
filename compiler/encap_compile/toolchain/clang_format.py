"""Formatting the C with the pinned clang-format, so that any spec's C is laid out as a person would."""

from __future__ import annotations

import subprocess
from importlib.util import find_spec
from pathlib import Path

from ..diagnostics import DiagnosedError, Diagnostic, Exit


def format_c(text: str, style: Path) -> str:
    """`text` in the style of the file `style`. Raises DiagnosedError T106 without the tool."""
    spec = find_spec("clang_format")
    tool = (
        Path(spec.submodule_search_locations[0]) / "data" / "bin" / "clang-format"
        if (spec and spec.submodule_search_locations)
        else None
    )
    if tool is None or not tool.exists():
        raise _error("the pinned clang-format is not installed")
    done = subprocess.run(
        [tool, f"--style=file:{style}", "--assume-filename=program.bpf.c"],
        input=text.encode(),
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise _error(f"clang-format failed: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout.decode()


def _error(message: str) -> DiagnosedError:
    help = "install the wheel `clang-format` (it comes with encap-compile)"
    return DiagnosedError([Diagnostic("T106", message, help=help)], Exit.TOOLCHAIN)

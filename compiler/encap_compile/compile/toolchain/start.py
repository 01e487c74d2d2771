"""Starting a clang, and asking it for its version."""

from __future__ import annotations

import re

from .clang import ENVIRONMENT, OLDEST, Clang, clang_error
from .process import Done, Process


def start_clang(clang: Clang, words: list[str], folder: str | None = None) -> Process:
    """Start a clang. Raises DiagnosedError T102 if it cannot be run."""
    try:
        return Process([*clang.command, *words], folder=folder)
    except OSError as error:
        help = f"give the path of a clang {OLDEST} or newer, or leave it out to use the pinned one"
        raise clang_error("T102", f"{clang.name} cannot be run: {error.strerror}", help) from None


def clang_version(clang: Clang) -> str:
    """`22.1.0`. Raises DiagnosedError: T102 not to be run, T103 not a clang, T104 too old."""
    with ask_version(clang) as asked:
        return told_version(clang, asked.done())


def ask_version(clang: Clang) -> Process:
    """Start a clang that says its version. Raises DiagnosedError T102."""
    return start_clang(clang, ["--version"])


def told_version(clang: Clang, done: Done) -> str:
    """What it said. Raises DiagnosedError T103 or T104."""
    found = re.search(r"clang version (\d+(?:\.\d+)*)", done.stdout.decode(errors="replace"))
    if done.returncode or not found:
        raise clang_error("T103", f"{clang.name} says no version, so it is no clang", "name the clang binary itself")
    version = found.group(1)
    if int(version.split(".", 1)[0]) < OLDEST:
        help = f"install a newer clang, or leave out --clang and {ENVIRONMENT} to use the pinned one"
        raise clang_error("T104", f"{clang.name} is clang {version}; {OLDEST} or newer is needed", help)
    return version

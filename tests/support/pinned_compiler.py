"""Programs of C for this machine by the pinned clang, whatever compiler and headers the machine itself has."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from encap_compile.compile.toolchain.process import environment

from .netns import CommandError

# Named in every call. Without a target zig takes the machine's own C library, asks its cc where the headers are, and
# gives up where there are none (gcc without libc6-dev); with one it brings headers and library along.
TARGET = f"{platform.machine()}-linux-gnu"
CC = (sys.executable, "-m", "ziglang", "cc", "-target", TARGET)
# Without the library of C++, which zig would compile first, for half a minute: nothing here includes its headers.
CXX = (sys.executable, "-m", "ziglang", "c++", "-target", TARGET, "-nostdlib++")
# For programs of tests and benchmark that the compiler under test has no part in.
BPF = (sys.executable, "-m", "ziglang", "clang", "-target", "bpf")


def compile_c(
    words: Sequence[str | Path], cache: Path | None = None, command: Sequence[str] = CC, folder: Path | None = None
) -> None:
    """Run the compiler in `folder`. Raises `CommandError` with what it says.

    What zig builds for all programs, such as the C library's stubs, takes seconds. It is kept in `cache`, else in the
    user's.
    """
    places = {} if cache is None else {"ZIG_GLOBAL_CACHE_DIR": str(cache), "ZIG_LOCAL_CACHE_DIR": str(cache)}
    line = [*command, *map(str, words)]
    done = subprocess.run(line, cwd=folder, env=environment() | places, capture_output=True, text=True)
    if done.returncode != 0:
        raise CommandError(f"{' '.join(line)} returned {done.returncode}\n{done.stderr}")

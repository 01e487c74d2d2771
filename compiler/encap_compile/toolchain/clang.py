"""Finding a clang and building with it, so that the same C gives the same bytes everywhere.

The default is the clang in the pinned `ziglang` wheel: the default -mcpu and the code that the verifier judges change
between releases of clang, so whatever happens to be installed will not do.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from ..diagnostics import DiagnosedError, Diagnostic, Exit

ENVIRONMENT = "ENCAP_CLANG"
OLDEST = 14  # older ones lower the C to code that current verifiers refuse, or lack -mcpu=v3
FLAGS = (
    "-target",
    "bpfel",
    "-mcpu=v3",  # 5.1; a fixed level, because the default differs between releases
    "-O2",
    "-g",  # BTF: map types for libbpf, and C lines in the verifier's log
    "-std=gnu11",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-fno-jump-tables",  # they would need relocations that libbpf refuses
    "-fno-ident",
    "-fdebug-compilation-dir=.",
)


@dataclass(frozen=True)
class Clang:
    """A clang to run: `command` and what the manifest says about it. `source` is pinned or chosen."""

    command: tuple[str, ...]
    source: str
    name: str  # for messages


def find_clang(chosen: str = "") -> Clang:
    """`chosen` (--clang), else $ENCAP_CLANG, else the pinned one. Raises DiagnosedError T101."""
    named = chosen or os.environ.get(ENVIRONMENT, "")
    if named:
        return Clang((named,), "chosen", named)
    spec = find_spec("ziglang")
    zig = Path(spec.submodule_search_locations[0]) / "zig" if spec and spec.submodule_search_locations else None
    if zig is None or not zig.exists():
        raise _error(
            "T101",
            "the pinned clang is not installed",
            f"install the wheel `ziglang` (it comes with encap-compile), or name a clang {OLDEST} or newer with "
            f"--clang or {ENVIRONMENT}",
        )
    return Clang((str(zig), "clang"), "pinned", "the pinned clang")


def clang_version(clang: Clang) -> str:
    """`22.1.0`. Raises DiagnosedError: T102 not to be run, T103 not a clang, T104 too old."""
    done = _run([*clang.command, "--version"], clang)
    found = re.search(r"clang version (\d+(?:\.\d+)*)", done.stdout)
    if done.returncode or not found:
        raise _error("T103", f"{clang.name} says no version, so it is no clang", "name the clang binary itself")
    version = found.group(1)
    if int(version.split(".", 1)[0]) < OLDEST:
        help = f"install a newer clang, or leave out --clang and {ENVIRONMENT} to use the pinned one"
        raise _error("T104", f"{clang.name} is clang {version}; {OLDEST} or newer is needed", help)
    return version


def build_object(clang: Clang, name: str, files: dict[str, bytes]) -> bytes:
    """Compile NAME.bpf.c in a folder of its own with `files`. Raises DiagnosedError T105 with clang's words."""
    source = f"{name}.bpf.c"
    try:
        return _build(clang, source, files)
    except OSError as error:
        help = "make room, or name another temporary folder with TMPDIR"
        raise _error("T107", f"a temporary file cannot be written: {error.strerror}", help) from None


def _build(clang: Clang, source: str, files: dict[str, bytes]) -> bytes:
    with TemporaryDirectory(prefix="encap-") as folder:
        for file, data in files.items():
            (Path(folder) / file).write_bytes(data)
        done = _run(
            [*clang.command, *FLAGS, f"-ffile-prefix-map={folder}=.", "-c", source, "-o", "out.o"], clang, folder
        )
        if done.returncode:
            raise _error(
                "T105",
                f"{clang.name} refuses {source}: {_first_error(done.stderr)}",
                "this is a bug of encap-compile if the clang is the pinned one; with another, try the pinned one",
            )
        return (Path(folder) / "out.o").read_bytes()


def _first_error(text: str) -> str:
    """The first line that says what is wrong, or all there is in one line."""
    return next((line for line in text.splitlines() if "error:" in line), " ".join(text.split())[:400])


def _run(command: list[str], clang: Clang, folder: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "LANG", "CPATH", "C_INCLUDE"))}
    environment["LC_ALL"] = "C"
    try:
        return subprocess.run(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except OSError as error:
        help = f"give the path of a clang {OLDEST} or newer, or leave it out to use the pinned one"
        raise _error("T102", f"{clang.name} cannot be run: {error.strerror}", help) from None


def _error(code: str, message: str, help: str) -> DiagnosedError:
    return DiagnosedError([Diagnostic(code, message, help=help)], Exit.TOOLCHAIN)

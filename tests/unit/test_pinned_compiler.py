"""The pinned clang asks nothing of the machine: not its compilers, its headers, nor its environment."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.pinned_compiler import CC, compile_c

ROOT = Path(__file__).resolve().parents[2]
HOST_PROGRAMS = [ROOT / "demo" / "visit" / "visit.c", ROOT / "bench" / "sender.c", ROOT / "bench" / "connector.c"]
# A gcc without the headers of the C library, as Debian's package of that name leaves it: it says where to look, and
# there is nothing.
GCC = """#!/bin/sh
printf '#include <...> search starts here:\\n /usr/include\\nEnd of search list.\\n' >&2
"""
EMPTY = 'mount -t tmpfs tmpfs /usr/include && PATH=$1 && shift && exec "$@"'


def bare(*words: str | Path, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """A command where /usr/include is empty and PATH has nothing but a compiler without headers."""
    bin_ = folder / "bin"
    bin_.mkdir(exist_ok=True)
    for name in ("cc", "gcc", "clang"):
        (bin_ / name).write_text(GCC)
        (bin_ / name).chmod(0o755)
    environment = {"HOME": os.environ.get("HOME", "/tmp"), "PATH": "/usr/bin:/bin", "TMPDIR": str(folder), **more}
    command = ["/usr/bin/unshare", "-m", "/bin/sh", "-ec", EMPTY, "sh", bin_, *words]
    return subprocess.run([*map(str, command)], cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.kernel
@pytest.mark.parametrize("source", HOST_PROGRAMS, ids=lambda path: path.stem)
def test_programs_for_this_machine(tmp_path: Path, source: Path) -> None:
    include = ["-I", str(ROOT / "build" / "teams")] if source.stem == "visit" else []
    done = bare(*CC, "-O2", *include, source, "-o", tmp_path / source.stem, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / source.stem).read_bytes()[:4] == b"\x7fELF"
    without_target = [word for word in CC if word not in CC[CC.index("-target") :]]
    done = bare(*without_target, "-O2", *include, source, "-o", tmp_path / "x", folder=tmp_path)
    assert done.returncode != 0, "zig finds headers here, so this test shows nothing"


@pytest.mark.kernel
def test_objects(tmp_path: Path) -> None:
    """With nothing but Python, and with variables that lead a clang astray: the bytes are those of any other run."""
    spec = ROOT / "examples" / "teams.yaml"
    command = [sys.executable, "-m", "encap_compile.cli", str(spec), "-o"]
    subprocess.run([*command, str(tmp_path / "here")], check=True, capture_output=True)
    astray = {
        "CPATH": "/nonexistent",
        "COMPILER_PATH": "/nonexistent",
        "CCC_OVERRIDE_OPTIONS": "# O0",
        "C_INCLUDE_PATH": str(tmp_path),
        "LC_ALL": "de_DE.UTF-8",
    }
    done = bare(*command, tmp_path / "there", folder=tmp_path, **astray)
    assert (done.returncode, done.stderr) == (0, "")
    made = {path.name: path.read_bytes() for path in (tmp_path / "there" / "teams").iterdir()}
    assert made == {path.name: path.read_bytes() for path in (tmp_path / "here" / "teams").iterdir()}


def test_every_call_of_zig_names_a_target() -> None:
    """In one place, so that nobody forgets it."""
    callers = [
        path.relative_to(ROOT)
        for folder in ("tests", "demo", "bench", "compiler")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"""["']ziglang["']""", path.read_text(encoding="utf-8"))
    ]
    assert sorted(map(str, callers)) == [
        "compiler/encap_compile/compile/toolchain/clang.py",  # FLAGS name it, and others are refused there
        "tests/support/pinned_compiler.py",
    ]


def test_a_failure_is_told(tmp_path: Path) -> None:
    from tests.support.netns import CommandError

    (tmp_path / "a.c").write_text("nonsense;\n")
    with pytest.raises(CommandError, match=r"a\.c"):
        compile_c(["-c", tmp_path / "a.c", "-o", tmp_path / "a.o"])

"""clang and clang-format at work beside the compiler: stopped when they are not waited for, nothing left behind."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from encap_compile.common.diagnostics import DiagnosedError
from encap_compile.common.manifest_io import load
from encap_compile.compile.pipeline import compile_spec
from encap_compile.compile.toolchain.build import building
from encap_compile.compile.toolchain.clang import Clang, find_clang
from encap_compile.compile.toolchain.process import Process
from encap_compile.compile.toolchain.start import clang_version

ROOT = Path(__file__).resolve().parents[2]
CODE = {"x.bpf.c": b'#include "x.h"\nint x = X;\n', "x.h": b"#define X 1\n"}


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_object_and_version(temporary: Path) -> None:
    with building(find_clang(), "x", CODE) as build:
        assert build.version() == clang_version(find_clang())
        assert build.built()[:4] == b"\x7fELF"
    assert not list(temporary.iterdir())


def test_refused(temporary: Path) -> None:
    with building(find_clang(), "x", {"x.bpf.c": b"nonsense\n"}) as build, pytest.raises(DiagnosedError) as caught:
        build.built()
    assert "error:" in caught.value.diagnostics[0].message
    assert not list(temporary.iterdir())


def test_left_early(temporary: Path) -> None:
    """What fails meanwhile does not wait for clang, and clang does not outlive it."""
    slow = temporary / "slow"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    began = time.monotonic()
    with (
        pytest.raises(ZeroDivisionError),
        building(Clang((str(slow),), "chosen", "slow"), "x", CODE) as build,
    ):
        processes = [build.compiling, build.asked]
        raise ZeroDivisionError
    assert time.monotonic() - began < 30
    assert all(p._popen.returncode is not None for p in processes)
    assert list(temporary.iterdir()) == [slow]


def test_a_tool_that_does_not_read(tmp_path: Path) -> None:
    with Process(["true"], b"x" * (4 << 20)) as process:
        assert process.done() == (0, b"", b"")


def test_a_tool_that_says_much(tmp_path: Path) -> None:
    with Process(["sh", "-c", "cat; seq 100000 >&2"], b"x" * (4 << 20)) as process:
        done = process.done()
    assert (len(done.stdout), done.stderr.splitlines()[-1]) == (4 << 20, b"100000")


def test_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_MESSAGES", "LANG", "CPATH", "C_INCLUDE_PATH"):
        monkeypatch.setitem(os.environ, name, "/nowhere")
    with Process(["env"]) as process:
        said = process.done().stdout.decode()
    assert "/nowhere" not in said and "LC_ALL=C\n" in said


def test_what_is_returned_is_what_is_written(tmp_path: Path) -> None:
    made = compile_spec(str(ROOT / "examples" / "vxlan-overlay.yaml"), tmp_path)
    folder = tmp_path / "vxlan-overlay"
    assert load(folder / "manifest.json") == made.manifest
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == made.files

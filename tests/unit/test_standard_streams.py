"""Standard output that is full, closed or not read: never a traceback, and never a success that nobody saw."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON = shlex.quote(sys.executable)
COMPILE = f"{PYTHON} -m encap_compile.cli"
CTL = f"{PYTHON} -m encap_compile.ctl"
SPEC = shlex.quote(str(ROOT / "examples/ipip-sites.yaml"))
COMMANDS = [
    f"{COMPILE} -o build {SPEC}",
    f"{COMPILE} check --format json {SPEC}",
    f"{COMPILE} schema",
    f"{COMPILE} --help",
    f"{CTL} --help",
    f"{CTL} plan --help",
]


def bash(words: str, folder: Path) -> tuple[int, str]:
    done = subprocess.run(["bash", "-o", "pipefail", "-c", words], cwd=folder, stderr=subprocess.PIPE, text=True)
    assert "Traceback" not in done.stderr and "bug" not in done.stderr
    return done.returncode, done.stderr


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_disk(command: str, unbuffered: str, tmp_path: Path) -> None:
    code, error = bash(f"PYTHONUNBUFFERED={unbuffered} {command} >/dev/full", tmp_path)
    assert (
        code == 6 and "standard output cannot be written: No space left on device; what was asked for is done" in error
    )
    assert ("-o build" in command) is (tmp_path / "build/ipip-sites/manifest.json").exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_closed_descriptor(command: str, tmp_path: Path) -> None:
    code, error = bash(f"{command} >&-", tmp_path)
    assert code == 6 and "it is closed; what was asked for is done" in error
    assert bash(f"{command} >&- 2>&-", tmp_path) == (6, "")
    assert bash(f"{command} <&- >/dev/null", tmp_path) == (0, "")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_reader_that_has_enough(command: str, tmp_path: Path) -> None:
    assert bash(f"{command} | head -c 0", tmp_path) == (0, "")


def test_a_wrong_spec_outranks_it(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: 1\n")
    code, error = bash(f"{COMPILE} check a.yaml >/dev/full", tmp_path)
    assert code == 1 and "standard output" not in error


@pytest.mark.parametrize("command", [f"{COMPILE} -o build {SPEC}", f"{CTL} plan build/x --set uplink=eth0"])
def test_too_few_open_files(command: str, tmp_path: Path) -> None:
    """Wherever it happens, it is the machine's fault and said so; from some number on there are enough."""
    starts = f"{PYTHON} -c 'import encap_compile.ctl, encap_compile.cli'"
    enough = next(n for n in range(4, 30) if not subprocess.run(["bash", "-c", f"ulimit -n {n}; {starts}"]).returncode)
    codes = set()
    for most in range(enough, enough + 10):
        code, error = bash(f"ulimit -n {most}; {command}", tmp_path)
        assert code in (0, 1, 4, 6), error
        assert code in (0, 1) or "H114" in error, error
        codes.add(code)
    assert len(codes) > 1 or "plan" in command

"""`./dev` on machines that lack something: it must say what, and change nothing."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.cli import ROOT

TOOLS = ("bash", "cat", "cp", "dirname", "env", "flock", "mkdir", "rm", "sha256sum", "tail")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout without an environment, and a PATH with hardly anything on it."""
    shutil.copy(ROOT / "dev", tmp_path / "dev")
    shutil.copy(ROOT / "pyproject.toml", tmp_path / "pyproject.toml")
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    for tool in TOOLS:
        (bin_ / tool).symlink_to(str(shutil.which(tool)))
    return tmp_path


def _dev(checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
    # dev adds the usual system folders; their commands are hidden by refusing to be Python 3.11 or apt-get.
    environment = {"PATH": str(checkout / "bin"), "CI": "true"}
    command = [str(checkout / "bin" / "bash"), str(checkout / "dev"), *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def _stub(checkout: Path, name: str, script: str) -> None:
    path = checkout / "bin" / name
    path.write_text(f"#!{shutil.which('bash')}\n{script}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(("words", "code"), [((), 2), (("nonsense",), 2), (("help",), 0), (("--help",), 0)])
def test_usage(checkout: Path, words: tuple[str, ...], code: int) -> None:
    done = _dev(checkout, *words)
    assert done.returncode == code
    assert "demo" in done.stdout + done.stderr
    assert sorted(path.name for path in checkout.iterdir()) == ["bin", "dev", "pyproject.toml"]


def test_old_python(checkout: Path) -> None:
    _stub(checkout, "python3", '[ "$1" = --version ] && { echo Python 3.10.12; exit; }; exit 1')
    done = _dev(checkout, "lint")
    assert done.returncode == 1
    assert "Python 3.11 or newer is needed; found Python 3.10.12" in done.stderr
    assert "apt-get install python3.11" in done.stderr


def test_a_failed_install_is_not_taken_for_a_finished_one(checkout: Path) -> None:
    """pip fails: said with its words, and the next run tries again."""
    _stub(checkout, "pip-fails", '[ "$3" = --version ] || { echo no network; exit 1; }')
    makes_venv = "mkdir -p .venv/bin; cp bin/pip-fails .venv/bin/python"
    _stub(checkout, "python3", f'case "$*" in *"-m venv"*) {makes_venv} ;; esac')
    for _ in range(2):
        done = _dev(checkout, "lint")
        assert done.returncode == 1, done.stderr
        assert "pip failed" in done.stderr
        assert "no network" in done.stderr

"""`./dev` on machines that lack something: it must say what, and change nothing."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
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


def _dev(checkout: Path, *words: str, before: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    # dev adds the usual system folders; their commands are hidden by refusing to be Python 3.11 or apt-get.
    environment = {"PATH": str(checkout / "bin"), "CI": "true"}
    command = [*before, str(checkout / "bin" / "bash"), str(checkout / "dev"), *words]
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
    assert "apt-get update && apt-get install python3.11" in done.stderr


def test_a_command_for_people_begins_with_an_update(checkout: Path) -> None:
    """A fresh machine has no lists of packages: without them nothing is found."""
    _stub(checkout, "apt-get", "exit 1")
    _stub(checkout, "python3", '[ "$2" = "import ensurepip, venv" ] && exit 1; exit 0')
    done = _dev(checkout, "lint")
    assert done.returncode == 1
    assert "To see it happen: apt-get update && apt-get install --no-install-recommends" in done.stderr


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("less", "missing"),
    [
        (("setpriv", "--bounding-set", "-sys_admin"), "root is without CAP_SYS_ADMIN here"),
        (("setpriv", "--bounding-set", "-net_admin,-net_raw"), "root is without CAP_NET_ADMIN CAP_NET_RAW here"),
        (("setpriv", "--bounding-set", "-all"), "root is without CAP_NET_ADMIN CAP_NET_RAW CAP_SYS_ADMIN here"),
        (("unshare", "--user", "--map-root-user"), "root of a user namespace loads no BPF programs"),
    ],
)
@pytest.mark.parametrize("verb", ["demo", "test", "bench"])
def test_a_container_is_told_at_once(checkout: Path, less: tuple[str, ...], missing: str, verb: str) -> None:
    """Before anything is installed, with the way out."""
    (checkout / "bin" / "sed").symlink_to(str(shutil.which("sed")))
    done = _dev(checkout, verb, before=[str(shutil.which(less[0])), *less[1:]])
    assert done.returncode == 1
    assert missing in done.stderr
    assert "docker run --privileged" in done.stderr
    assert f"dev: error: ./dev {verb} needs CAP_SYS_ADMIN and CAP_NET_ADMIN" in done.stderr
    assert sorted(path.name for path in checkout.iterdir()) == ["bin", "dev", "pyproject.toml"]


@pytest.mark.kernel
def test_namespaces_that_cannot_be_made_are_told_at_once(checkout: Path) -> None:
    """All capabilities, and a filter of system calls or a limit in the way."""
    (checkout / "bin" / "sed").symlink_to(str(shutil.which("sed")))
    _stub(checkout, "unshare", "exit 1")
    done = _dev(checkout, "demo")
    assert done.returncode == 1
    assert "namespaces cannot be made here" in done.stderr


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

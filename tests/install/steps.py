"""Commands in environments that hold what was installed into them, and nothing of the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Nothing of the checkout, of its environment or of the user's settings leads Python to another package.
HIDDEN = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "ENCAP_CLANG")


class InstallError(Exception):
    """A step failed: its command and what it said."""


def run(*words: str | Path, folder: Path, codes: tuple[int, ...] = (0,), environment: Mapping[str, str] = {}) -> str:
    """The standard output of a command in `folder`. Raises `InstallError` if it ends with another code than `codes`."""
    kept = {name: value for name, value in os.environ.items() if name not in HIDDEN}
    done = subprocess.run(
        [*map(str, words)], cwd=folder, env=kept | environment, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    if done.returncode not in codes:
        raise InstallError(f"{' '.join(map(str, words))} returned {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


class Environment:
    """A virtual environment; one that is not there yet is made, with nothing in it but pip."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not folder.exists():
            run(sys.executable, "-m", "venv", folder, folder=folder.parent)

    def pip(self, *words: str | Path) -> None:
        run(self.folder / "bin" / "python", "-m", "pip", "-q", *words, folder=self.folder)

    def program(self, name: str) -> Path:
        return self.folder / "bin" / name

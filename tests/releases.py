"""What each release left behind, in `tests/fixtures/releases/VERSION-COMMIT/`: its bundle, its state, and its loader.

`python -m tests.releases COMMIT` (root) makes the folder of a release that is in the history, with that release's own
compiler and loader. It is made once, when the release is made, and never again: what is written there is what machines
have.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.netns.loader_net import Wire, wire
from tests.support.netns import STATE

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "tests/fixtures/releases"
SPEC = FOLDER / "skew.yaml"
NAME = SPEC.stem
STATES = ("state.json", "applied.json")  # as far as a release writes them
LOADER = "encapctl.zip"
PACKAGE = "encap_compile"
NOT_OF_THE_LOADER = ("checks", "compile", "headers", "lower", "model", "render", "toolchain")  # what compiles
MADE = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip knows: the same files are the same bytes


class Release:
    """A folder of fixtures."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = folder.name
        self.bundle = folder / NAME
        self.loader = folder / LOADER

    def ctl(self, net: Wire, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """Run this release's own encapctl in the namespace of `net`."""
        return net.ours.run([sys.executable, str(self.loader), *map(str, words)], check=False)


def releases() -> list[Release]:
    """All, the oldest first."""
    order = (FOLDER / "order").read_text(encoding="utf-8").split()
    return [Release(FOLDER / name) for name in order]


def make(commit: str) -> Release:
    """Write the folder of a release."""
    with TemporaryDirectory() as temporary:
        tree = Path(temporary, "tree")
        tree.mkdir()
        archive = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
        subprocess.run(["tar", "-x"], cwd=tree, check=True, input=archive)
        source = {**os.environ, "PYTHONPATH": str(tree / "compiler")}
        asked = [sys.executable, "-c", f"import {PACKAGE}; print({PACKAGE}.__version__)"]
        version = subprocess.run(asked, cwd=tree, env=source, check=True, stdout=subprocess.PIPE, text=True).stdout
        release = Release(FOLDER / f"{version.strip()}-{commit[:7]}")
        shutil.rmtree(release.folder, ignore_errors=True)
        compiler = [sys.executable, "-m", f"{PACKAGE}.cli", str(SPEC), "-o", str(release.folder)]
        subprocess.run(compiler, cwd=tree, env=source, check=True)
        _zip(tree / "compiler" / PACKAGE, _entry(tree), release.loader)
    with wire() as net:
        done = release.ctl(net, "apply", release.bundle, "--set", "uplink=eth0")
        assert done.returncode == 0, done.stderr
        for written in (STATE / net.ours.name).rglob("*.json"):
            if written.name in STATES:
                text = written.read_text(encoding="utf-8").replace(str(release.folder), "/srv")
                (release.folder / written.name).write_text(text, encoding="utf-8")
        release.ctl(net, "remove", NAME)
    return release


def _entry(tree: Path) -> str:
    """The module whose `main` is encapctl, in whichever distribution."""
    for project in (tree / "packaging/encapctl/pyproject.toml", tree / "pyproject.toml"):
        scripts = tomllib.loads(project.read_text())["project"].get("scripts", {}) if project.exists() else {}
        if "encapctl" in scripts:
            return str(scripts["encapctl"]).partition(":")[0]
    raise LookupError(f"{tree} has no encapctl")


def _zip(package: Path, entry: str, target: Path) -> None:
    """What encapctl needs of the package; Python runs it from the zip."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as written:
        written.writestr(zipfile.ZipInfo("__main__.py", MADE), f"from {entry} import main\n\nmain()\n")
        for path in sorted(package.rglob("*.py")):
            below = path.relative_to(package)
            if below.parts[0] not in NOT_OF_THE_LOADER:
                entry = zipfile.ZipInfo(str(PACKAGE / below), MADE)
                written.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED, 9)


if __name__ == "__main__":
    for each in sys.argv[1:]:
        print(make(each).folder)  # noqa: T201

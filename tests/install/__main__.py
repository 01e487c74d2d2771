"""`python -m tests.install`: build the packages as a user's pip does, install each away from the checkout, use it.

The editable install of a checkout hides what is missing from a wheel, and so does every environment that has more in it
than the package asks for. Each way to install gets a virtual environment of its own, with nothing but pip, and the
newest build backend that the index has; the oldest that pyproject.toml allows must build the same wheel.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.listings import page

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


def checkout(folder: Path) -> Path:
    """A copy of what git has of this checkout, as it is in the working tree."""
    target = folder / "a checkout"
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", folder=ROOT)
    for name in listed.split("\0"):
        if name and (ROOT / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name, follow_symlinks=False)
    return target


def oldest_backend() -> str:
    """`hatchling==1.27`: what pyproject.toml asks for at least."""
    (needed,) = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    return re.sub(">=", "==", needed)


def contents(wheel: Path) -> dict[str, bytes]:
    """What a wheel installs, without what says who built it."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        if len(names) != len(set(names)):
            raise InstallError(f"{wheel.name} has a file twice")
        return {name: archive.read(name) for name in names if not name.endswith(("/WHEEL", "/RECORD", "/METADATA"))}


def build(work: Path, source: Path) -> dict[str, Path]:
    """sdist, wheel, and the wheel built from the sdist, by the newest backend; the oldest must agree."""
    made: dict[str, Path] = {}
    for backend in ("hatchling", oldest_backend()):
        name = "newest" if backend == "hatchling" else "oldest"
        builder = Environment(work / f"builder-{name}")
        builder.pip("install", "--upgrade", backend)
        hatchling, out = builder.program("hatchling"), work / f"dist-{name}"
        run(hatchling, "build", "-d", out, "-t", "sdist", "-t", "wheel", folder=source)
        (sdist,), (wheel,) = out.glob("*.tar.gz"), out.glob("*.whl")
        shutil.unpack_archive(sdist, work / f"unpacked-{name}", filter="data")
        (unpacked,) = (work / f"unpacked-{name}").iterdir()
        run(hatchling, "build", "-d", out / "again", "-t", "wheel", folder=unpacked)
        (again,) = (out / "again").glob("*.whl")
        made.setdefault("wheel", wheel)
        made.setdefault("sdist", sdist)
        made.setdefault("wheel from sdist", again)
        made.setdefault("unpacked", unpacked)
        for other in (wheel, again):
            if contents(other) != contents(made["wheel"]):
                raise InstallError(f"{other} is not what {made['wheel']} is")
    return made


def use(environment: Environment, folder: Path) -> None:
    """What a newcomer does first, in an empty folder; the bundle is the one that the checkout has, to the byte."""
    folder.mkdir()
    compiler, loader = environment.program("encap-compile"), environment.program("encapctl")
    for example in (ROOT / "examples").glob("vxlan-overlay*"):
        shutil.copy(example, folder)
    run(compiler, "doctor", folder=folder)
    run(compiler, "vxlan-overlay.yaml", folder=folder)
    committed = ROOT / "build" / "vxlan-overlay"
    for file in (p for p in committed.iterdir() if p.suffix != ".o"):
        if (folder / "build" / "vxlan-overlay" / file.name).read_bytes() != file.read_bytes():
            raise InstallError(f"the installed compiler writes another {file.name} than build/vxlan-overlay/ has")
    says = {
        "vxlan": run(compiler, "explain", "vxlan-overlay.yaml", folder=folder),
        "E301": run(compiler, "explain", "E301", folder=folder),
        "preset": run(compiler, "reference", "presets", folder=folder),
        "properties": run(compiler, "schema", folder=folder),
        "Usage: encapctl": run(loader, "--help", folder=folder),
    }
    for word, text in says.items():
        if word not in text:
            raise InstallError(f"{word!r} is not in what a command said:\n{text}")
    run(compiler, "init", "mine.yaml", folder=folder)
    run(compiler, "mine.yaml", folder=folder)
    # 3: something would change; 6: this machine is not ready for it (no root, no libbpf).
    run(
        loader, "plan", "build/mine", "--set", "uplink=lo", "--set", "address=192.0.2.1", folder=folder, codes=(0, 3, 6)
    )


def as_the_readme_says(source: Path, home: Path) -> Environment:
    """Type the README's commands under "Install" in the checkout; the environment that they make."""
    home.mkdir()
    text = (source / "README.md").read_text(encoding="utf-8")
    for block in page.blocks(text, *page.section(text, "## Install", "## A first spec")):
        run("bash", "-ec", block.body, folder=source, environment={"HOME": str(home)})
    return Environment(home / "encap")


def ways(work: Path, source: Path) -> dict[str, Callable[[Path], Environment]]:
    """Every way to install that README.md names or pip has, into a folder."""
    made = build(work, source)

    def pip(*words: str | Path) -> Callable[[Path], Environment]:
        def install(folder: Path) -> Environment:
            environment = Environment(folder)
            environment.pip("install", *words)
            return environment

        return install

    return {
        "wheel": pip(made["wheel"]),
        "wheel from sdist": pip(made["wheel from sdist"]),
        "as README.md says": lambda folder: as_the_readme_says(source, folder),
        "sdist": pip(made["sdist"]),
        "editable": pip("-e", source),
        "editable from sdist": pip("-e", made["unpacked"]),
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev wheel", description="Build the packages, install each, use it.")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="put the wheel and the sdist there")
    options = parser.parse_args()
    try:
        with TemporaryDirectory(prefix="encap-install-") as name:
            work = Path(name)
            for number, (way, install) in enumerate(ways(work, checkout(work)).items()):
                started = time.monotonic()
                use(install(work / f"env-{number}"), work / f"use-{number}")
                shutil.rmtree(work / f"env-{number}")
                sys.stdout.write(f"ok    {way:<40} {time.monotonic() - started:5.1f} s\n")
                sys.stdout.flush()
            if options.keep:
                options.keep.mkdir(parents=True, exist_ok=True)
                for made in (work / "dist-newest").glob("encap_compile-*"):
                    shutil.copy(made, options.keep)
                    sys.stdout.write(f"wrote {options.keep / made.name}\n")
    except InstallError as error:
        sys.stderr.write(f"dev: error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

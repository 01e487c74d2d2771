"""`python -m tests.install`: build the packages as a user's pip does, install each away from the checkout, use it.

The editable install of a checkout hides what is missing from a wheel, and so does every environment that has more in it
than the package asks for. Each way to install gets a virtual environment of its own, with nothing but pip, and the
newest build backend that the index has; the oldest that pyproject.toml allows must build the same wheel.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import time
import tomllib
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tests.listings import page

from . import node
from .steps import ROOT, Environment, InstallError, run


def checkout(folder: Path) -> Path:
    """A copy of what git has of this checkout, as it is in the working tree."""
    target = folder / "a checkout"
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", folder=ROOT)
    for name in listed.split("\0"):
        if name and (ROOT / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name, follow_symlinks=False)
    return target


DISTRIBUTIONS = {"encapctl": Path("packaging/encapctl"), "encap-compile": Path()}  # each with its pyproject.toml


def oldest_backend(project: Path) -> str:
    """`hatchling==1.27`: what a pyproject.toml asks for at least."""
    (needed,) = tomllib.loads((project / "pyproject.toml").read_text())["build-system"]["requires"]
    return re.sub(">=", "==", needed)


def contents(wheel: Path) -> dict[str, bytes]:
    """What a wheel installs, without what says who built it."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        if len(names) != len(set(names)):
            raise InstallError(f"{wheel.name} has a file twice")
        return {name: archive.read(name) for name in names if not name.endswith(("/WHEEL", "/RECORD", "/METADATA"))}


class Made(NamedTuple):
    """What was built of one distribution; `unpacked` is the sdist's folder."""

    sdist: Path
    wheel: Path
    again: Path  # the wheel that the sdist builds
    unpacked: Path


def build(work: Path, project: Path, builders: Mapping[str, Environment]) -> Made:
    """sdist, wheel, and the wheel built from the sdist, by the newest backend; the oldest must agree."""
    found = []
    for age, builder in builders.items():
        hatchling, out = builder.program("hatchling"), work / age
        run(hatchling, "build", "-d", out, "-t", "sdist", "-t", "wheel", folder=project)
        (sdist,), (wheel,) = out.glob("*.tar.gz"), out.glob("*.whl")
        shutil.unpack_archive(sdist, out / "unpacked", filter="data")
        (unpacked,) = (out / "unpacked").iterdir()
        run(hatchling, "build", "-d", out / "again", "-t", "wheel", folder=unpacked)
        (again,) = (out / "again").glob("*.whl")
        found.append(Made(sdist, wheel, again, unpacked))
        for other in (wheel, again):
            if contents(other) != contents(found[0].wheel):
                raise InstallError(f"{other} is not what {found[0].wheel} is")
    return found[0]


def build_all(work: Path, source: Path) -> dict[str, Made]:
    """Every distribution by name. Raises `InstallError` where two have a file in common."""
    builders = {}
    for age, backend in (("newest", "hatchling"), ("oldest", oldest_backend(source))):
        builders[age] = Environment(work / f"builder-{age}")
        builders[age].pip("install", "--upgrade", backend)
    made = {name: build(work / f"dist-{name}", source / folder, builders) for name, folder in DISTRIBUTIONS.items()}
    owners: dict[str, str] = {}
    for name, one in made.items():
        for file in contents(one.wheel):
            if (other := owners.setdefault(file, name)) != name:
                raise InstallError(f"{file} is in {other} and in {name}")
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


def ways(made: Mapping[str, Made], source: Path) -> dict[str, Callable[[Path], Environment]]:
    """Every way to install both that README.md names or pip has, into a folder."""
    loader, compiler = made["encapctl"], made["encap-compile"]

    def pip(*words: str | Path) -> Callable[[Path], Environment]:
        def install(folder: Path) -> Environment:
            environment = Environment(folder)
            environment.pip("install", *words)
            return environment

        return install

    return {
        "wheels": pip(loader.wheel, compiler.wheel),
        "wheels from sdists": pip(loader.again, compiler.again),
        "as README.md says": lambda folder: as_the_readme_says(source, folder),
        "sdists": pip(loader.sdist, compiler.sdist),
        "editable": pip("-e", source / DISTRIBUTIONS["encapctl"], "-e", source),
        "editable from sdist": pip("-e", compiler.unpacked / DISTRIBUTIONS["encapctl"], "-e", compiler.unpacked),
    }


def node_ways(made: Made) -> dict[str, Path]:
    """What a node installs, in each form that there is."""
    return {"node: wheel": made.wheel, "node: wheel from sdist": made.again, "node: sdist": made.sdist}


def report(way: str, started: float) -> None:
    sys.stdout.write(f"ok    {way:<60} {time.monotonic() - started:5.1f} s\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev wheel", description="Build the packages, install each, use it.")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="put the wheels and the sdists there")
    options = parser.parse_args()
    try:
        with TemporaryDirectory(prefix="encap-install-") as name:
            work = Path(name)
            source = checkout(work)
            made = build_all(work, source)
            for number, (way, install) in enumerate(ways(made, source).items()):
                started = time.monotonic()
                use(install(work / f"env-{number}"), work / f"use-{number}")
                shutil.rmtree(work / f"env-{number}")
                report(way, started)
            for number, (way, distribution) in enumerate(node_ways(made["encapctl"]).items()):
                started = time.monotonic()
                environment = Environment(work / f"node-{number}")
                environment.pip("install", distribution)
                found = node.use(environment, work / "use-0" / "build" / "mine", work / f"use-node-{number}")
                report(f"{way}, {found}", started)
            if options.keep:
                options.keep.mkdir(parents=True, exist_ok=True)
                for file in (file for one in made.values() for file in (one.sdist, one.wheel)):
                    shutil.copy(file, options.keep)
                    sys.stdout.write(f"wrote {options.keep / file.name}\n")
    except InstallError as error:
        sys.stderr.write(f"dev: error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

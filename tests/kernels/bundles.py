"""The bundles that the guests load, compiled here: the guest has no compiler to run."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.anywhere import bundles as anywhere

from .images import REPOSITORY
from .tools import MachineError

SPECS = Path(__file__).with_name("specs")
EXAMPLES = REPOSITORY / "examples"
COMPILER = "import sys; from encap_compile.cli import main; sys.exit(main())"


def compile_all(folder: Path, with_examples: bool) -> list[str]:
    """Compile the scenarios' specs, those of tests/anywhere and the examples into `folder`; the examples' names."""
    examples = sorted(EXAMPLES.glob("*.yaml")) if with_examples else []
    with TemporaryDirectory() as made:
        many = anywhere.write_many(Path(made))
        _compile(sorted({*SPECS.glob("*.yaml"), *anywhere.SPECS, *examples, many}), folder)
    for version in anywhere.VERSIONS:
        _compile([version], anywhere.place(folder, version))
    return [example.stem for example in examples]


def _compile(specs: Sequence[Path], folder: Path) -> None:
    command = [sys.executable, "-c", COMPILER, *map(str, specs), "-o", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=REPOSITORY)
    if done.returncode:
        raise MachineError(f"encap-compile failed with {done.returncode}:\n{done.stdout}{done.stderr}")


def claims(bundle: Path, release: str) -> bool:
    """Whether a bundle's manifest claims the kernel of that release."""
    oldest = json.loads((bundle / "manifest.json").read_text())["kernel"]
    return _number(release) >= _number(oldest)


def _number(release: str) -> tuple[int, int]:
    major, minor = release.split("-")[0].split(".")[:2]
    return int(major), int(minor)

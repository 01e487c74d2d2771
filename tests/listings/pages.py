"""The pages whose listings are made by running them, and where: all their blocks, from one title to another."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import ndiff
from itertools import takewhile
from pathlib import Path
from tempfile import TemporaryDirectory

from . import page, shell
from .varying import masked, merged, same

ROOT = Path(__file__).resolve().parents[2]
HEADER_PAGE = ROOT / "docs" / "adding-a-header.md"


def compiler_with_listings(folder: Path) -> dict[str, str]:
    """A copy of the compiler with the files of docs/adding-a-header.md; the environment in which it is in use."""
    ignore = shutil.ignore_patterns("__pycache__")
    package = folder / "compiler" / "encap_compile"
    shutil.copytree(ROOT / "compiler" / "encap_compile", package, ignore=ignore)
    for name in ("templates", "schemas"):
        (folder / name).symlink_to(ROOT / name)
    for name, body in page.files(HEADER_PAGE.read_text(encoding="utf-8")).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(body, encoding="utf-8")
    return {"PYTHONPATH": str(package.parent), "PYTHONDONTWRITEBYTECODE": "1"}


def _empty_folder(folder: Path) -> dict[str, str]:
    """An empty one with the files that the README shows."""
    for name, body in page.files((ROOT / "README.md").read_text(encoding="utf-8")).items():
        (folder / name).write_text(body, encoding="utf-8")
    return {}


def _checkout(folder: Path) -> dict[str, str]:
    """A checkout as the walk through leaves it, whose ./dev installs nothing."""
    shutil.copytree(ROOT / "tests", folder / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    environment = compiler_with_listings(folder)
    (folder / "dev").write_text(f'#!/bin/sh\nshift\nexec "{sys.executable}" -m pytest -p no:cacheprovider "$@"\n')
    (folder / "dev").chmod(0o755)
    return environment


@dataclass(frozen=True)
class Session:
    """Blocks of a page, from the title `start` to the title `end`, that are typed one after the other."""

    path: Path
    start: str
    end: str
    prepare: Callable[[Path], Mapping[str, str]]
    kinds: tuple[str, ...] = ("sh", "console", "hidden")
    after: tuple[Session, str] | None = None  # blocks of another session go first, up to the one that has these words

    def blocks(self) -> list[page.Block]:
        """What is typed of this page."""
        text = self.path.read_text(encoding="utf-8")
        found = page.blocks(text, *page.section(text, self.start, self.end))
        return [block for block in found if block.kind in self.kinds]

    def run(self) -> list[tuple[page.Block, list[tuple[str, ...]]]]:
        """Type it all in a folder of its own: each block with what its commands print. Raises `shell.BlockError`."""
        before = []
        if self.after:
            other, words = self.after
            before = list(takewhile(lambda block: words not in block.body, other.blocks()))
        blocks = self.blocks()
        with TemporaryDirectory(prefix="encap-listings-") as name:
            printed = shell.run([*before, *blocks], Path(name), self.prepare(Path(name)))
        return list(zip(blocks, printed[len(before) :], strict=True))


README = Session(ROOT / "README.md", "## A first spec", "## Not in this release", _empty_folder)
OPERATIONS = Session(
    ROOT / "docs" / "operations.md",
    "## Exit codes",
    "",
    _empty_folder,
    kinds=("console", "hidden"),
    after=(README, "encapctl remove"),
)
HEADER = Session(HEADER_PAGE, "## 1. Read the protocol's text", "## 7. Write everything that is generated", _checkout)
MTU = Session(
    ROOT / "docs" / "mtu.md",
    "## The budget",
    "",
    _empty_folder,
    kinds=("console", "hidden"),
    after=(README, "encapctl remove"),
)
SESSIONS = {str(session.path.relative_to(ROOT)): session for session in (README, OPERATIONS, MTU, HEADER)}


def stale(session: Session) -> list[str]:
    """Every command whose listing shows something else than it prints, each with the difference."""
    found = []
    for block, outputs in session.run():
        for command, printed in zip(block.commands, outputs, strict=False):
            if not same(command.output, printed):
                difference = ndiff([masked(line) for line in command.output], [masked(line) for line in printed])
                found.append("\n".join([command.typed, *(line for line in difference if line[0] in "+-")]))
    return found


def rewrite(session: Session) -> bool:
    """Put what the commands print into the page; whether that changed it."""
    text = before = session.path.read_text(encoding="utf-8")
    for block, outputs in reversed(session.run()):
        if block.commands:
            lines = []
            for command, printed in zip(block.commands, outputs, strict=True):
                lines += [command.prompt + command.typed, *merged(command.output, printed)]
            text = text[: block.start] + "\n".join(lines) + "\n" + text[block.end :]
    if text != before:
        session.path.write_text(text, encoding="utf-8")
    return text != before

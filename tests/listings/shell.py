"""Runs the blocks of a page in one shell, as root, with names of network namespaces that nobody else sees."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from .page import Block

# What is left when a block fails: nothing of a bundle may stay pinned under a namespace that is gone.
CLEAN_UP = """
mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns
undo() {
  for name in /run/netns/*; do
    for bundle in build/*/; do
      [ ! -e "$name" ] || nsenter --net="$name" encapctl remove "$(basename "$bundle")" >/dev/null 2>&1 || true
    done
  done
}
trap undo EXIT
"""


class BlockError(Exception):
    """A block failed: what was typed and what came of it."""


def run(blocks: Sequence[Block], folder: Path, environment: Mapping[str, str]) -> list[list[tuple[str, ...]]]:
    """The lines that each command of each block printed, output and errors together as in a terminal.

    Raises `BlockError` if a block without output fails, or a command of a listing with another code than its answer.
    """
    said = folder / ".said"
    said.mkdir()
    script = [f"exec 2>'{said}/start'", "set -e", CLEAN_UP]
    for number, block in enumerate(blocks):
        units = [command.typed for command in block.commands] or [block.body]
        for index, typed in enumerate(units):
            file = f"{said}/{number}-{index}"
            script += [f"exec >'{file}' 2>&1", typed if not block.commands else f"code=0\n{typed} || code=$?"]
            script += [f"echo ${{code:-0}} >'{file}.code'"]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    subprocess.run(
        ["unshare", "-m", "bash", "-c", "\n".join(script)],
        cwd=folder,
        env=os.environ | {"PATH": path, "ENCAP_STATE": str(folder / "state"), "LC_ALL": "C.UTF-8"} | environment,
        stdin=subprocess.DEVNULL,
        timeout=300,
        check=False,
    )
    return [
        [_output(said / f"{number}-{index}", command.typed, folder) for index, command in enumerate(block.commands)]
        or [_output(said / f"{number}-0", block.body, folder)]
        for number, block in enumerate(blocks)
    ]


def _output(file: Path, typed: str, folder: Path) -> tuple[str, ...]:
    text = file.read_text(encoding="utf-8") if file.exists() else (file.parent / "start").read_text(encoding="utf-8")
    code = file.with_name(f"{file.name}.code")
    ended = int(code.read_text()) if code.exists() else None
    # What ends with something else is no answer but a failure, which must not become a listing.
    if ended not in ({0, 1} if " ping " in typed else {0, 3}):
        raise BlockError(f"{typed}: {'failed' if ended is None else f'returned {ended}'}\n{text}")
    return tuple(line.replace(str(folder), "~") for line in text.splitlines())

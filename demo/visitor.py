"""The application of the story of sockets: a process of its own, in a cgroup and in the namespace of `ours`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType

from tests.support.cgroups import mount
from tests.support.exits import Exits
from tests.support.pinned_compiler import TARGET, compile_c

SOURCES = Path(__file__).parent / "visit"
PYTHON = (sys.executable, str(SOURCES / "visit.py"))


def build(bundle: Path, target: Path) -> str:
    """Build visit.c against the bundle's header with the pinned zig; the command in words."""
    words = ["-Wall", "-Wextra", "-Werror", "-O2", "-I", bundle, SOURCES / "visit.c", "-o", target]
    if "HOME" in os.environ:
        compile_c(words)
    else:
        with TemporaryDirectory(prefix="encap-demo-zig-", ignore_cleanup_errors=True) as own:
            compile_c(words, Path(own))
    return f"zig cc -target {TARGET} -Wall -Wextra -Werror -O2 -I build/teams visit.c -o visit"


class Visitor:
    """Started in a cgroup of the tree; as a context manager it is ended if it has not ended itself."""

    def __init__(self, exits: Exits, cgroup: str, command: Sequence[str], *words: str) -> None:
        join = mount() / exits.tree.path[1:] / cgroup / "cgroup.procs"
        with exits.topology.ours.entered():
            self.process = subprocess.Popen(
                ["sh", "-c", 'echo 0 > "$0" && exec "$@"', join, *command, *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                env=os.environ | {"PYTHONPATH": str(exits.bundle), "PYTHONDONTWRITEBYTECODE": "1"},
            )

    def __enter__(self) -> Visitor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def line(self) -> str:
        """The next line that it says; empty when it has ended."""
        assert self.process.stdout
        return self.process.stdout.readline().rstrip("\n")

    def status(self) -> str:
        """What getsockopt says to it, in its words; empty when it has ended."""
        assert self.process.stdin
        try:
            self.process.stdin.write("\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return ""
        return self.line()

    def end(self) -> int:
        """Let it close its socket and end; its exit code."""
        self.process.communicate(timeout=10)
        return self.process.returncode

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


def packets(status: str) -> int:
    """How many packets a status says, or -1."""
    found = re.search(r"(\d+) packets", status)
    return int(found[1]) if found else -1

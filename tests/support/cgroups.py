"""Cgroups that clean up after themselves: each tree lies in a directory of its own, `encap-PID-N`."""

from __future__ import annotations

import atexit
import contextlib
import itertools
import os
import signal
import time
from pathlib import Path
from types import TracebackType

from encap_compile.run.kernel.links import programs_on
from encap_compile.run.kernel.programs import describe_program

PREFIX = "encap-"
_serial = itertools.count(1)
_alive: set[Path] = set()
_owner = os.getpid()


def mount() -> Path:
    """Where the cgroup2 hierarchy is, by the mounts of this process."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        if after.startswith("cgroup2 "):
            return Path(before.split(" ")[4])
    raise LookupError("no cgroup2 hierarchy is mounted")


class Tree:
    """A cgroup with others below it. Use it as a context manager."""

    def __init__(self) -> None:
        self.path = f"/{PREFIX}{os.getpid()}-{next(_serial)}"
        self.folder = mount() / self.path[1:]
        _alive.add(self.folder)  # before it is there: an interruption may come between
        self.folder.mkdir()

    def make(self, path: str) -> int:
        """Make a cgroup below, and those above it; its number."""
        folder = self.folder / path
        folder.mkdir(parents=True)
        return folder.stat().st_ino

    def number(self, path: str) -> int:
        return (self.folder / path).stat().st_ino

    def drop(self, path: str) -> None:
        """Kill what runs in a cgroup and below, and delete it."""
        _delete(self.folder / path)

    def hooked(self, path: str) -> list[str]:
        """The programs on the hooks of socket options of one cgroup, by name."""
        fd = os.open(self.folder / path, os.O_RDONLY)
        try:
            ids = [number for kind in (21, 22) for number in programs_on(fd, kind)]
        finally:
            os.close(fd)
        found = [describe_program(number) for number in ids]
        return sorted(program.name for program in found if program)

    def join(self, path: str, pid: int) -> None:
        (self.folder / path / "cgroup.procs").write_text(f"{pid}\n")

    def __enter__(self) -> Tree:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _delete(self.folder)
        _alive.discard(self.folder)


@atexit.register
def _at_exit() -> None:
    """What an interruption has left, before a block was entered or while it was left."""
    if os.getpid() == _owner:
        for folder in _alive:
            _delete(folder)


def sweep() -> None:
    """Delete the trees whose process is dead."""
    with contextlib.suppress(LookupError):
        for folder in mount().glob(f"{PREFIX}*-*"):
            pid = folder.name.removeprefix(PREFIX).partition("-")[0]
            if pid.isdigit() and not Path("/proc", pid).exists():
                _delete(folder)


def _delete(folder: Path) -> None:
    if not folder.exists():
        return
    end = time.monotonic() + 10
    for inner, _, _ in os.walk(folder, topdown=False):
        while True:
            for pid in (Path(inner) / "cgroup.procs").read_text().split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            try:
                Path(inner).rmdir()
                break
            except OSError:  # EBUSY: a process is still ending
                if time.monotonic() > end:
                    raise
                time.sleep(0.01)

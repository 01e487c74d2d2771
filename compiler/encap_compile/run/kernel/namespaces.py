"""Network namespaces that something still holds: a process, a thread, an open file, a mount."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from .mounts import unescaped
from .netns import this_namespace

_NAME = re.compile(r"net:\[(\d+)\]")
_INODE = re.compile(r"^ino:\s*(\d+)$", re.M)


def name_of_this() -> str:
    """What people call this network namespace: `init_net` where PID 1 is, a name that `ip netns` gave, or `netns-N`.

    N is its cookie (or its inode number where the kernel has no cookies, before 5.14).
    """
    this = this_namespace()
    for name, inode in (("init_net", _inode(Path("/proc/1/ns/net"))), *_named()):
        if inode == this.inode:
            return name
    return f"netns-{this.cookie or this.inode}"


def _named() -> list[tuple[str, int]]:
    return [(path.name, _inode(path)) for path in sorted(_in(Path("/run/netns"), "*"))]


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:  # gone, or of a process that we may not look at
        return 0


def living() -> dict[int, list[Path]]:
    """The inodes of all network namespaces that /proc knows of, for which it must show every process, and files that
    stand for each.

    One that is held by a socket alone, or by a device that was not moved out, is not among them. Some numbers are of
    other things than namespaces: an open file tells its inode (Linux 5.14), and not always what it is.
    """
    found: dict[int, list[Path]] = {}
    for file, text in _references():
        if name := _NAME.search(text):
            found.setdefault(int(name[1]), []).append(file)
    for file, text in _open_files():
        if inode := _INODE.search(text):
            found.setdefault(int(inode[1]), []).append(file)
    return found


def _references() -> Iterator[tuple[Path, str]]:
    for process in _processes():
        for folder, pattern in ((process / "task", "*/ns/net"), (process / "fd", "*")):
            for link in _in(folder, pattern):
                with suppress(OSError):  # closed, or the thread has ended
                    yield link, str(link.readlink())
        # The roots of nsfs mounts, as `ip netns` makes them.
        lines = (line.split(" ") for text in _read(process / "mountinfo") for line in text.splitlines())
        for fields in lines:
            if "nsfs" in fields:
                yield process / "root" / unescaped(fields[4]).lstrip("/"), fields[3]


def _open_files() -> Iterator[tuple[Path, str]]:
    """What was opened through a mount that is no more has no name left."""
    for process in _processes():
        for entry in _in(process / "fdinfo", "*"):
            yield from ((process / "fd" / entry.name, text) for text in _read(entry))


def _processes() -> Iterator[Path]:
    return (p for p in Path("/proc").iterdir() if p.name.isdigit())


def _in(folder: Path, pattern: str) -> list[Path]:
    try:
        return list(folder.glob(pattern))
    except OSError:
        return []


def _read(path: Path) -> Iterator[str]:
    with suppress(OSError):
        yield path.read_text(encoding="utf-8", errors="replace")

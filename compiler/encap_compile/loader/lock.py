"""One run at a time: a lock that goes away with its process, however that ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAME = "lock"


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the lock of a directory, waiting for it; the directory is made, and left again if nothing is in it.

    Raises OSError.
    """
    path = directory / NAME
    while True:
        directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:  # another run just removed the directory
            continue
        fcntl.flock(fd, fcntl.LOCK_EX)
        # Another run may have removed the file while this one waited: then it guards nothing any more.
        try:
            current = path.stat().st_ino == os.fstat(fd).st_ino
        except FileNotFoundError:
            current = False
        if current:
            break
        os.close(fd)
    try:
        yield
    finally:
        _leave(directory, path)
        os.close(fd)


def _leave(directory: Path, path: Path) -> None:
    """Remove the lock and the directories if nothing else is in them: `remove` leaves nothing behind."""
    if [p.name for p in directory.iterdir()] != [NAME]:
        return
    path.unlink()
    for empty in (directory, directory.parent):
        try:
            empty.rmdir()
        except OSError:
            return

"""One run at a time: a lock that goes away with its process, however that ends."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ...common.diagnostics import DiagnosedError, Diagnostic, Exit, Severity
from ...common.folders import PRIVATE_FILE, PUBLIC, make_folders
from ...common.record import Record
from ..kernel.locks import holders

NAME = "lock"
SAID_AFTER = 1.0  # seconds of waiting after which a person is told for whom
_POLL = 0.05  # seconds between two tries: flock() itself knows no timeout


def _silent(found: Diagnostic) -> None:
    return


class Patience(Record):
    """How long a run waits for another one's lock, in seconds, None for ever, and who is told of it."""

    seconds: float | None = None
    say: Callable[[Diagnostic], None] = _silent


FOR_EVER = Patience()


@contextmanager
def locked(directory: Path, patience: Patience = FOR_EVER) -> Iterator[None]:
    """Hold the lock of a directory, waiting for it; the directory is made, and left again if nothing is in it.

    Raises DiagnosedError (H132 when the patience is at its end), OSError.
    """
    path = directory / NAME
    while True:
        make_folders(directory, PUBLIC)
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_FILE)
        except FileNotFoundError:  # another run just removed the directory
            continue
        try:
            os.fchmod(fd, PRIVATE_FILE)  # whoever may open it can hold it; and a narrow umask would keep us out
            _take(fd, path, patience)
            # Another run may have removed the file while this one waited: then it guards nothing any more.
            if path.stat().st_ino == os.fstat(fd).st_ino:
                break
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)
    try:
        yield
    finally:
        _leave(directory, path)
        os.close(fd)


def _take(fd: int, path: Path, patience: Patience) -> None:
    begun = time.monotonic()
    said = False
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            waited = time.monotonic() - begun
        if patience.seconds is not None and waited >= patience.seconds:
            words = f"{path} is locked by {holders(fd)}"
            fix = "wait for that run, or end it: what it has not finished, the next `apply` or `remove` does"
            raise DiagnosedError([Diagnostic("H132", words, help=fix)], Exit.MACHINE)
        if not said and waited >= SAID_AFTER:
            words = f"waiting for {holders(fd)}, which has locked {path}"
            patience.say(Diagnostic("H132", words, help="--lock-timeout SECONDS ends the wait", severity=Severity.NOTE))
            said = True
        left = _POLL if patience.seconds is None else min(_POLL, patience.seconds - waited)
        time.sleep(left)


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

"""Who holds a lock of flock(), as the kernel tells it."""

from __future__ import annotations

import os
from pathlib import Path

_LOCKS = Path("/proc/locks")
_LONGEST = 120  # characters of a command line that are shown


def holders(fd: int) -> str:
    """The processes that hold a lock of an open file, by number and command; in words for a person.

    /proc/locks shows processes of this PID namespace and those below it alone.
    """
    found = os.fstat(fd)
    wanted = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    processes = []
    for line in _LOCKS.read_text(encoding="ascii").splitlines():
        fields = line.split()  # 1: FLOCK ADVISORY WRITE 4711 00:19:1234 0 EOF; `->` behind the number if it waits
        if len(fields) > 5 and fields[1] == "FLOCK" and fields[5] == wanted:
            processes.append(f"process {fields[4]}{_command(fields[4])}")
    return " and ".join(processes) or "a process that cannot be seen from here"


def _command(pid: str) -> str:
    try:
        words = Path("/proc", pid, "cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ")
    except OSError:  # it has just ended
        return ""
    text = "".join(c if c.isprintable() else "?" for c in words.decode(errors="replace"))
    if not text:
        return ""
    return f" ({text[:_LONGEST]}{'...' if len(text) > _LONGEST else ''})"

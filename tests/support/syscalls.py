"""The few system calls that Python 3.11 does not wrap."""

from __future__ import annotations

import ctypes
import os

CLONE_NEWNET = 0x40000000
MNT_DETACH = 2

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def setns(fd: int, kind: int) -> None:
    """Move the calling thread, and no other, into the namespace that `fd` is open on."""
    _checked(_libc.setns(fd, kind), "setns")


def mount(source: str, target: str, fstype: str) -> None:
    _checked(_libc.mount(source.encode(), target.encode(), fstype.encode(), 0, None), f"mount {target}")


def umount(target: str) -> None:
    _checked(_libc.umount2(target.encode(), MNT_DETACH), f"umount {target}")

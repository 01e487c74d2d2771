"""Directories watched for what comes into them and goes (man 7 inotify). cgroupfs tells of mkdir and rmdir."""

from __future__ import annotations

import ctypes
import os
import select
from collections.abc import Iterable
from pathlib import Path

from .handle import Handle

_IN_MOVED_FROM, _IN_MOVED_TO, _IN_CREATE, _IN_DELETE = 0x40, 0x80, 0x100, 0x200
_IN_DELETE_SELF, _IN_ONLYDIR = 0x400, 0x01000000
_EVENTS = _IN_MOVED_FROM | _IN_MOVED_TO | _IN_CREATE | _IN_DELETE | _IN_DELETE_SELF | _IN_ONLYDIR


class Watcher(Handle):
    """An inotify instance that watches some directories; the watches end with it.

    A directory that is not there is left out. Where a limit on instances or watches is reached, it only waits.
    """

    def __init__(self, directories: Iterable[Path]) -> None:
        super().__init__(_libc().inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK))
        if self._fd >= 0:
            for directory in directories:
                _libc().inotify_add_watch(self._fd, os.fsencode(directory), _EVENTS)

    def wait(self, seconds: float, *also: int) -> None:
        """Until something happens in a watched directory, a descriptor of `also` can be read, or time is over."""
        select.select([fd for fd in (self._fd, *also) if fd >= 0], [], [], seconds)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)

"""Directories watched for what comes into them and goes (man 7 inotify). cgroupfs tells of mkdir and rmdir."""

from __future__ import annotations

import ctypes
import os
import select
from collections.abc import Iterable
from pathlib import Path

from .errors import kernel_error
from .handle import Handle

_IN_MOVED_FROM, _IN_MOVED_TO, _IN_CREATE, _IN_DELETE = 0x40, 0x80, 0x100, 0x200
_IN_DELETE_SELF, _IN_ONLYDIR = 0x400, 0x01000000
_EVENTS = _IN_MOVED_FROM | _IN_MOVED_TO | _IN_CREATE | _IN_DELETE | _IN_DELETE_SELF | _IN_ONLYDIR


class Watcher(Handle):
    """An inotify instance; watches end with it."""

    def __init__(self) -> None:
        """Raises KernelError, as when a user has too many instances."""
        fd = _libc().inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        if fd < 0:
            raise kernel_error(ctypes.get_errno(), "inotify_init1")
        super().__init__(fd)

    def watch(self, directories: Iterable[Path]) -> None:
        """Watch these too. One that is not there, or for which there are no watches left, is left out."""
        for directory in directories:
            _libc().inotify_add_watch(self.fd, os.fsencode(directory), _EVENTS)

    def wait(self, seconds: float, also: int) -> None:
        """Until something happens in a watched directory, the descriptor `also` can be read, or time is over."""
        ready, _, _ = select.select([self.fd, also], [], [], seconds)
        if self.fd in ready:
            try:
                while os.read(self.fd, 1 << 16):
                    continue
            except BlockingIOError:
                return


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)

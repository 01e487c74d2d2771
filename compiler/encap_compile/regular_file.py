"""Reading a whole file that somebody named, without waiting for ever and without filling memory."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from stat import S_ISDIR, S_ISREG

MOST_BYTES = 64 << 20


def read_regular(path: Path, most: int = MOST_BYTES) -> bytes:
    """The bytes of a regular file. Raises OSError: also for a FIFO, a device, a name with NUL, and more than `most`.

    Opening a FIFO waits for a writer, and a device may never end; so what is no regular file is refused unread.
    """
    try:
        # O_NONBLOCK: the kind of file is known only once it is open, and opening a FIFO would wait (fifo(7)).
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except ValueError:  # NUL, or characters that no file name can have
        raise OSError(errno.EINVAL, "no file can have this name", str(path)) from None
    with os.fdopen(fd, "rb") as file:
        found = os.fstat(fd)
        if S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        if found.st_size > most:
            raise OSError(errno.EFBIG, f"larger than {most >> 20} MiB", str(path))
        data = file.read(most + 1)  # it may grow meanwhile, and files of /proc have no size
        if len(data) > most:
            raise OSError(errno.EFBIG, f"larger than {most >> 20} MiB", str(path))
        return data

"""Reading a file that somebody named, without waiting for ever and without filling memory.

Opening a FIFO waits for a writer, and a device may never end; so what is no regular file is refused unread.
"""

from __future__ import annotations

import errno
import os
from io import BufferedReader
from pathlib import Path
from stat import S_ISDIR, S_ISREG

MOST_BYTES = 64 << 20
_PIECE = 1 << 20
MOST_BYTES_OF_ROWS = 1 << 30  # rows of a million endpoints are a tenth of it


class NotRegularError(OSError):
    """A FIFO, a device, a socket: what may never end."""


def open_regular(path: Path) -> BufferedReader:
    """A regular file, open to be read. Raises OSError: also for a FIFO, a device, and a name that no file can have."""
    try:
        # O_NONBLOCK: the kind of file is known only once it is open, and opening a FIFO would wait (fifo(7)).
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except ValueError:  # NUL, or characters that no file name can have
        raise OSError(errno.EINVAL, "no file can have this name", str(path)) from None
    mode = os.fstat(fd).st_mode
    if S_ISREG(mode):
        return os.fdopen(fd, "rb")
    os.close(fd)
    if S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise NotRegularError(errno.EINVAL, "not a regular file", str(path))


def read_regular(path: Path, most: int = MOST_BYTES) -> bytes:
    """All bytes of a regular file. Raises OSError as `open_regular` does, and if there are more than `most`."""
    with open_regular(path) as file:
        # Its size is no answer: files of /proc have none, and others may grow meanwhile.
        pieces, size = [], 0
        while piece := file.read(_PIECE):  # a read of `most` would take that much memory for any file
            pieces.append(piece)
            size += len(piece)
            if size > most:
                raise OSError(errno.EFBIG, f"larger than {most >> 20} MiB", str(path))
        return b"".join(pieces)

"""Folders and files with the modes that they are meant to have, whatever umask the process was started with."""

from __future__ import annotations

import os
from pathlib import Path

PRIVATE = 0o700  # rows, counters and links are nobody else's
PUBLIC = 0o755  # what was applied may be read by everybody, and written by nobody else
PUBLIC_FILE = 0o644
PRIVATE_FILE = 0o600


def make_folders(path: Path, mode: int) -> None:
    """Make a folder and those above it that are missing, all with this mode. Raises OSError."""
    missing = []
    while not path.exists() and path != path.parent:
        missing.append(path)
        path = path.parent
    for folder in reversed(missing):
        try:
            folder.mkdir(mode=mode)  # never wider, not even for a moment
        except FileExistsError:  # another run was faster
            continue
        folder.chmod(mode)  # a narrow umask takes bits away


def create_file(path: Path, content: bytes, mode: int) -> None:
    """Write a file that is not there yet; what a killed run left of it is replaced. Raises OSError."""
    path.unlink(missing_ok=True)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    with os.fdopen(fd, "wb") as file:
        os.fchmod(fd, mode)
        file.write(content)


def write_file(path: Path, content: bytes, mode: int) -> None:
    """Write a file through a temporary name, so that a reader sees the old or the new content. Raises OSError."""
    temporary = path.with_name(f"{path.name}.tmp")
    create_file(temporary, content, mode)
    temporary.replace(path)

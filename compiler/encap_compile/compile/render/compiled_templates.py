"""Compiled templates, kept where Python keeps this package's own bytecode: half of the time of a run.

They are code, so they are trusted as far as the package itself is: they lie in its folder, and nowhere that somebody
else can prepare. The key of an entry is the template's text.
"""

from __future__ import annotations

import os
from pathlib import Path
from stat import S_ISDIR, S_IWGRP, S_IWOTH

from jinja2 import FileSystemBytecodeCache
from jinja2.bccache import Bucket

FOLDER = Path(__file__).parent / "__pycache__"


class _Cache(FileSystemBytecodeCache):
    def __init__(self, folder: Path, writable: bool) -> None:
        super().__init__(str(folder))
        self.writable = writable

    def dump_bytecode(self, bucket: Bucket) -> None:
        if self.writable:
            super().dump_bytecode(bucket)


def beside_the_code(folder: Path = FOLDER) -> FileSystemBytecodeCache | None:
    """The cache in a folder that only the owner of the code can write; None where there is none.

    Only the owner writes, so that `sudo` leaves no files of root in a checkout.
    """
    owner = folder.parent.stat().st_uid
    try:
        if owner == os.geteuid():
            folder.mkdir(mode=0o755, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return None
    if not S_ISDIR(found.st_mode) or found.st_uid != owner or found.st_mode & (S_IWGRP | S_IWOTH):
        return None
    return _Cache(folder, owner == os.geteuid() and os.access(folder, os.W_OK))

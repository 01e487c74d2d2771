"""The cgroup2 hierarchy: where it is mounted, and cgroups by path and by number.

A cgroup's number is the inode of its directory, which is what programs see (`cgroup_id` of kernel/cgroup). It is 64
bits wide and never given to another cgroup before the next boot (fs/kernfs/dir.c, kernfs_new_node).
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from stat import S_ISDIR

from ...common.record import Record
from .errors import NotFoundError, kernel_error
from .handle import Handle
from .mounts import unescaped
from .system import in_first_cgroup_namespace
from .uapi import FILEID_KERNFS

_MOUNTS = Path("/proc/self/mountinfo")
_ROOT_NUMBER = 1  # of the hierarchy's root, the first node that kernfs makes
_ESTALE, _ENOENT = 116, 2


class Cgroup(Record):
    """A cgroup: its path from the hierarchy's root, its number, and how deep it lies; the root is at level 0."""

    path: str
    number: int
    level: int


class Hierarchy(Record):
    """A mount of the hierarchy. `root` is the cgroup that it shows, "" for the root of all."""

    mount: Path
    root: str

    def directory(self, path: str) -> Path | None:
        """Where a cgroup is or would be; None if the mount does not show that part of the hierarchy."""
        path = "" if path == "/" else path
        inside = path.removeprefix(self.root)
        if not path.startswith(self.root) or (inside and not inside.startswith("/")):
            return None
        return self.mount / inside.removeprefix("/")

    def find(self, path: str) -> Cgroup | None:
        """The cgroup at a path that begins with `/`, or None if there is none now."""
        directory = self.directory(path)
        try:
            found = directory.stat() if directory else None
        except OSError:  # not there, or going away just now (ENODEV)
            return None
        if found is None or not S_ISDIR(found.st_mode):
            return None
        return Cgroup(path, found.st_ino, sum(1 for part in path.split("/") if part))


def hierarchy(mounts: str | None = None) -> Hierarchy | None:
    """The mounted hierarchy, preferably whole; None if there is none whose paths could be told. `mounts` is for tests.

    In a cgroup namespace the mount's root is that of the namespace, whose true place nothing tells.
    """
    found = []
    for line in (mounts if mounts is not None else _MOUNTS.read_text(encoding="utf-8")).splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if after.split(" ")[0] != "cgroup2" or len(fields) < 5:
            continue
        mount, root = Path(unescaped(fields[4])), unescaped(fields[3])
        if _number(mount) == _ROOT_NUMBER:
            found.append(Hierarchy(mount, ""))
        elif in_first_cgroup_namespace() and root != "/":
            found.append(Hierarchy(mount, root))
    return min(found, key=lambda h: len(h.root), default=None)


def opened(number: int) -> Handle:
    """The directory of a cgroup. Raises NotFoundError if there is no such cgroup (any more), NotPermittedError."""
    whole = hierarchy()
    if whole is None:
        raise kernel_error(_ENOENT, f"cgroup {number}")
    with _directory(whole.mount) as mount:
        handle = _FileHandle(8, FILEID_KERNFS, number)
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        fd = ctypes.CDLL(None, use_errno=True).open_by_handle_at(mount.fd, ctypes.byref(handle), flags)
    if fd >= 0:
        return Handle(fd)
    if ctypes.get_errno() == _ESTALE:
        raise kernel_error(_ENOENT, f"cgroup {number}")
    return _searched(whole.mount, number)  # CAP_DAC_READ_SEARCH is missing


class _FileHandle(ctypes.Structure):
    """struct file_handle with the 8 bytes that kernfs has (Linux 5.5, fs/kernfs/mount.c)."""

    _fields_ = (("handle_bytes", ctypes.c_uint), ("handle_type", ctypes.c_int), ("number", ctypes.c_uint64))


def _searched(mount: Path, number: int) -> Handle:
    """The same by walking through all directories."""
    for folder, _, _ in os.walk(mount):
        if _number(Path(folder)) == number:
            found = _directory(Path(folder))
            if os.fstat(found.fd).st_ino == number:
                return found
    raise NotFoundError(_ENOENT, f"cgroup {number}")


def _directory(path: Path) -> Handle:
    try:
        return Handle(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
    except OSError as error:
        raise kernel_error(error.errno or _ENOENT, f"open {path}") from None


def _number(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return 0

"""Pins: names in the bpf filesystem that keep maps and links alive without a process."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

from ..diagnostics import DiagnosedError, Diagnostic, Exit
from ..folders import PRIVATE, PRIVATE_FILE, make_folders
from .constants import BPF_FS_MAGIC
from .errors import KernelError
from .libbpf import libbpf
from .links import Link
from .maps import Map

DEFAULT = Path("/sys/fs/bpf")


class _StatFs(ctypes.Structure):
    """struct statfs; `f_type` is its first long on every Linux that BPF runs on."""

    _fields_ = (("f_type", ctypes.c_long), ("rest", ctypes.c_char * 248))


def is_bpffs(path: Path) -> bool:
    """Whether a directory lies in a bpf filesystem."""
    into = _StatFs()
    if ctypes.CDLL(None, use_errno=True).statfs(os.fsencode(path), ctypes.byref(into)) != 0:
        return False
    return bool(into.f_type & 0xFFFFFFFF == BPF_FS_MAGIC)


def require_bpffs(path: Path, mount: bool) -> None:
    """Make sure that a bpf filesystem is there; the usual one is mounted if it is only missing, as every loader does.

    Raises DiagnosedError (H102).
    """
    if path.is_dir() and is_bpffs(path):
        return
    if mount and path == DEFAULT and path.is_dir() and not _private_mounts() and _mount(path):
        return
    words = f"no bpf filesystem at {path}: pins could not be kept"
    fix = f"mount it: `mkdir -p {path} && mount -t bpf bpf {path}`, or name another with --bpffs"
    if _private_mounts():
        fix = "this process has mounts of its own, as under `ip netns exec`: use `nsenter --net=/run/netns/NAME`"
    raise DiagnosedError([Diagnostic("H102", words, help=fix)], Exit.MACHINE)


def _private_mounts() -> bool:
    """Whether this process sees other mounts than the machine, as under `ip netns exec`: its own end with it."""
    try:
        return Path("/proc/self/ns/mnt").readlink() != Path("/proc/1/ns/mnt").readlink()
    except OSError:
        return False


def _mount(path: Path) -> bool:
    target = os.fsencode(path)
    ms_nosuid_nodev_noexec = 2 | 4 | 8
    done = ctypes.CDLL(None, use_errno=True).mount(
        b"bpf", target, b"bpf", ctypes.c_ulong(ms_nosuid_nodev_noexec), b"mode=0700"
    )
    return bool(done == 0)


def pin(fd: int, path: Path) -> None:
    """Pin a map or link. A directory that is missing is made; a pin of that name is replaced. Raises KernelError."""
    make_folders(path.parent, PRIVATE)
    path.unlink(missing_ok=True)
    libbpf().bpf_obj_pin(fd, os.fsencode(path))
    path.chmod(PRIVATE_FILE)  # the kernel takes the umask from 0600


def open_map(path: Path) -> Map:
    """Raises NotFoundError, NotPermittedError."""
    return Map(libbpf().bpf_obj_get(os.fsencode(path)))


def open_link(path: Path) -> Link | None:
    """The pinned link, or None if nothing is pinned there. Raises KernelError."""
    try:
        return Link(libbpf().bpf_obj_get(os.fsencode(path)))
    except KernelError:
        if path.exists():
            raise
        return None


def pins_in(directory: Path) -> Iterator[Path]:
    """Every pin in a directory, by name; nothing if there is no such directory. A directory among them is no pin."""
    if directory.is_dir():
        yield from sorted(p for p in directory.iterdir() if not p.is_dir())


def remove_empty(directory: Path, upto: Path) -> None:
    """Remove a directory and the empty ones above it, but not `upto` itself."""
    while directory != upto and upto in directory.parents:
        try:
            directory.rmdir()
        except FileNotFoundError:
            pass
        except OSError:  # not empty: another bundle lives there
            return
        directory = directory.parent

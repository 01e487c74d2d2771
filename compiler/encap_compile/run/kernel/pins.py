"""Pins: names in the bpf filesystem that keep maps, programs and links alive without a process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ...common.folders import PRIVATE, PRIVATE_FILE, make_folders
from .errors import KernelError
from .libbpf import libbpf
from .links import Link
from .maps import Map
from .programs import Program


def pin(fd: int, path: Path) -> None:
    """Pin a map, program or link, in place of a pin of that name. Missing directories are made. Raises KernelError."""
    make_folders(path.parent, PRIVATE)
    path.unlink(missing_ok=True)
    libbpf().bpf_obj_pin(fd, os.fsencode(path))
    path.chmod(PRIVATE_FILE)  # the kernel takes the umask from 0600


def open_map(path: Path) -> Map:
    """Raises NotFoundError, NotPermittedError."""
    return Map(libbpf().bpf_obj_get(os.fsencode(path)))


def open_program(path: Path) -> Program:
    """Raises NotFoundError, NotPermittedError."""
    return Program(libbpf().bpf_obj_get(os.fsencode(path)))


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

"""Mounts, as /proc/PID/mountinfo lists them (man 5 proc)."""

from __future__ import annotations

import os
import re
from pathlib import Path

from .system import in_first_pid_namespace

_OWN, _OF_THE_MACHINE = Path("/proc/self/mountinfo"), Path("/proc/1/mountinfo")


def unescaped(text: str) -> str:
    r"""A field of mountinfo: space, tab, newline and backslash are written \040 and so on."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def instance_of(path: Path) -> str:
    """The filesystem that a path lies in, as MAJOR:MINOR: each bpf filesystem has a number of its own.

    Mounting it elsewhere, or a part of it, changes nothing about that; a new `mount -t bpf` is another one. A number is
    given away again when its filesystem is gone. Raises OSError.
    """
    device = os.stat(path).st_dev  # noqa: PTH116 (in step with os.major)
    return f"{os.major(device)}:{os.minor(device)}"


def mounted_by_the_machine(path: Path) -> bool | None:
    """Whether the filesystem that a path lies in is mounted where PID 1 of the machine is, so that it stays when this
    process and its mount namespace are gone. None if that cannot be seen from here. Raises OSError.
    """
    if (mounts := _of_the_machine()) is None:
        return None
    wanted = instance_of(path)
    return any(fields[2] == wanted for fields in mounts)


def shares_the_machines_mounts() -> bool:
    """Whether what this process mounts is mounted for the machine: a mount belongs to one mount namespace alone."""
    mounts = _of_the_machine()
    return bool(mounts) and bool({fields[0] for fields in mounts or ()} & {fields[0] for fields in _fields(_OWN)})


def bpffs_still_mounted(instance: str, path: Path) -> bool:
    """Whether a bpf filesystem is still mounted where a path is, also if another mount hides it there.

    Elsewhere, its number may be that of a later one.
    """
    for fields in (*_fields(_OWN), *(_of_the_machine() or ())):
        there = fields[2] == instance and fields[fields.index("-") + 1] == "bpf"
        if there and path.is_relative_to(unescaped(fields[4])):
            return True
    return False


def _of_the_machine() -> list[list[str]] | None:
    """The mounts of PID 1; None if it is another one here, or does not show them. It takes no privilege."""
    if not in_first_pid_namespace():
        return None
    try:
        return _fields(_OF_THE_MACHINE)
    except OSError:  # /proc is mounted with hidepid
        return None


def _fields(mountinfo: Path) -> list[list[str]]:
    """Each mount's fields: its number, that of the mount it is on, the filesystem as MAJOR:MINOR, root, path ..."""
    return [line.split(" ") for line in mountinfo.read_text(encoding="utf-8", errors="replace").splitlines()]

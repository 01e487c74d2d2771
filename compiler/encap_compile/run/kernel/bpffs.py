"""The bpf filesystem that pins lie in: there, and one that outlives this process."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from ...common.diagnostics import DiagnosedError, Diagnostic, Exit
from .mounts import mounted_by_the_machine, shares_the_machines_mounts
from .uapi import BPF_FS_MAGIC

DEFAULT = Path("/sys/fs/bpf")
PERSIST_VARIABLE = "ENCAP_PINS_PERSIST"  # what --pins-persist sets
_FROM_OUTSIDE = "`nsenter --net=/run/netns/NAME encapctl ...` enters a network namespace and keeps the machine's mounts"


class _StatFs(ctypes.Structure):
    """struct statfs; `f_type` is its first long on every Linux that BPF runs on."""

    _fields_ = (("f_type", ctypes.c_long), ("rest", ctypes.c_char * 248))


def is_bpffs(path: Path) -> bool:
    """Whether a directory lies in a bpf filesystem."""
    into = _StatFs()
    if ctypes.CDLL(None, use_errno=True).statfs(os.fsencode(path), ctypes.byref(into)) != 0:
        return False
    return bool(into.f_type & 0xFFFFFFFF == BPF_FS_MAGIC)


def require_bpffs(path: Path, mount: bool = False) -> None:
    """Make sure that a bpf filesystem is there whose pins stay. With `mount` the usual one is mounted if it is only
    missing, as every loader does.

    Raises DiagnosedError: H102 if there is none, H130 if its pins would go, or it cannot be seen that they stay.
    """
    ours = shares_the_machines_mounts()
    if not (path.is_dir() and is_bpffs(path)):
        if mount and ours and path == DEFAULT and path.is_dir() and _mount(path):
            return
        words = f"no bpf filesystem at {path}: pins could not be kept"
        fix = f"mount it: `mkdir -p {path} && mount -t bpf bpf {path}`, or name another with --bpffs"
        if not ours:
            fix = f"mount the machine's own there, and not a new one. {_FROM_OUTSIDE}"
        raise DiagnosedError([Diagnostic("H102", words, help=fix)], Exit.MACHINE)
    seen = mounted_by_the_machine(path)
    # The flag speaks for what cannot be seen from within a container, not against what can.
    if seen or (seen is None and os.environ.get(PERSIST_VARIABLE, "") not in ("", "0")):
        return
    if seen is None:
        words = f"whether the bpf filesystem at {path} outlives this container cannot be seen from within it"
        fix = "give the container the machine's /sys/fs/bpf (a bind mount, hostPath) and say so with --pins-persist"
    else:
        words = f"the bpf filesystem at {path} is mounted for this process alone: its pins end with it"
        fix = _FROM_OUTSIDE
    raise DiagnosedError([Diagnostic("H130", words, help=fix)], Exit.MACHINE)


def _mount(path: Path) -> bool:
    target = os.fsencode(path)
    ms_nosuid_nodev_noexec = 2 | 4 | 8
    done = ctypes.CDLL(None, use_errno=True).mount(
        b"bpf", target, b"bpf", ctypes.c_ulong(ms_nosuid_nodev_noexec), b"mode=0700"
    )
    return bool(done == 0)

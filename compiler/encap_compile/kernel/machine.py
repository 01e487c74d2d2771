"""What this machine and this process are: kernel release, capabilities, boot."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from .constants import CAP_BPF, CAP_NET_ADMIN, CAP_SYS_ADMIN, PROC_CGROUP_INIT_INO, PROC_PID_INIT_INO

_NAMES = {CAP_NET_ADMIN: "CAP_NET_ADMIN", CAP_BPF: "CAP_BPF"}


def kernel_release() -> str:
    """As `uname -r` says it."""
    return os.uname().release


def kernel_version() -> tuple[int, int]:
    """Major and minor number of the running kernel."""
    return version_of(kernel_release())


def version_of(release: str) -> tuple[int, int]:
    """The first two numbers of a release: (5, 10) of "5.10.0-30-amd64"; (0, 0) if it has none."""
    found = re.match(r"(\d+)\.(\d+)", release)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def missing_capabilities() -> tuple[str, ...]:
    """The capabilities that loading and attaching need and this process lacks, by name."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(r"^CapEff:\s*([0-9a-f]+)$", status, re.M)
    effective = int(found[1], 16) if found else 0

    def has(capability: int) -> bool:
        return bool(effective >> capability & 1)

    def may_bpf() -> bool:  # CAP_SYS_ADMIN implies CAP_BPF; before 5.8 it is the only one
        return has(CAP_SYS_ADMIN) or has(CAP_BPF)

    return tuple(name for number, name in _NAMES.items() if not (may_bpf() if number == CAP_BPF else has(number)))


def in_first_cgroup_namespace() -> bool:
    """Whether this process sees the cgroup hierarchy by its true paths."""
    return Path("/proc/self/ns/cgroup").stat().st_ino == PROC_CGROUP_INIT_INO


def in_first_pid_namespace() -> bool:
    """Whether this process sees every other one in /proc."""
    return Path("/proc/self/ns/pid").stat().st_ino == PROC_PID_INIT_INO


def seconds_since_boot() -> float:
    """On the clock of struct bpf_prog_info's load_time (CLOCK_BOOTTIME)."""
    import time

    return time.clock_gettime(time.CLOCK_BOOTTIME)


def boot_id() -> str:
    """A random UUID, the same until the machine boots again."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def secret_of_this_boot() -> bytes:
    """Four bytes that nobody outside of this machine knows, the same until it boots again."""
    return hashlib.sha256(f"{boot_id()}\n".encode()).digest()[:4]

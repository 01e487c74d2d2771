"""What this machine and this process are: kernel release, capabilities, boot."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from .uapi import (
    CAP_BPF,
    CAP_NET_ADMIN,
    CAP_PERFMON,
    CAP_SYS_ADMIN,
    CAP_SYS_PTRACE,
    PROC_CGROUP_INIT_INO,
    PROC_PID_INIT_INO,
    PROC_USER_INIT_INO,
)

# CAP_NET_ADMIN: hooks, traffic control. CAP_BPF: programs, maps. CAP_PERFMON: pointers that are compared and subtracted
# (allow_ptr_leaks of the verifier), as all programs do with data and data_end.
NEEDED = (CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON)
_NAMES = {
    CAP_BPF: "CAP_BPF",
    CAP_NET_ADMIN: "CAP_NET_ADMIN",
    CAP_PERFMON: "CAP_PERFMON",
    CAP_SYS_ADMIN: "CAP_SYS_ADMIN",
    CAP_SYS_PTRACE: "CAP_SYS_PTRACE",
}


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


def missing_capabilities(*needed: int) -> tuple[str, ...]:
    """Of these capabilities, or else of those that every verb needs, the ones that this process lacks, by name.

    CAP_SYS_ADMIN includes those that came with Linux 5.8, and was what they were before.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(r"^CapEff:\s*([0-9a-f]+)$", status, re.M)
    effective = int(found[1], 16) if found else 0
    if effective >> CAP_SYS_ADMIN & 1:
        effective |= 1 << CAP_BPF | 1 << CAP_PERFMON
    return tuple(_NAMES[number] for number in needed or NEEDED if not effective >> number & 1)


def in_first_cgroup_namespace() -> bool:
    """Whether this process sees the cgroup hierarchy by its true paths."""
    return Path("/proc/self/ns/cgroup").stat().st_ino == PROC_CGROUP_INIT_INO


def in_first_pid_namespace() -> bool:
    """Whether this process sees every other one in /proc."""
    return Path("/proc/self/ns/pid").stat().st_ino == PROC_PID_INIT_INO


def in_first_user_namespace() -> bool:
    """Whether the capabilities of this process are those that the kernel asks for."""
    return Path("/proc/self/ns/user").stat().st_ino == PROC_USER_INIT_INO


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

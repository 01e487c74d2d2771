"""What tells one network namespace from every other since boot.

The inode number is what `lsns` and /proc/PID/ns/net show, and is given to another namespace as soon as this one is
gone (proc_free_inum). The cookie never is (SO_NETNS_COOKIE, Linux 5.14). Older kernels number directories of sysfs as
they number cgroups: 64 bits wide, never twice before the next boot (fs/kernfs/dir.c, kernfs_new_node); each namespace
has one for its loopback device, which lives exactly as long.
"""

from __future__ import annotations

import ctypes
import os
import re
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from .errors import kernel_error

_SO_NETNS_COOKIE = 71
_CLONE_NEWNET = 0x40000000
# The same numbers on every architecture (Linux 5.2), include/uapi/asm-generic/unistd.h
_FSOPEN, _FSCONFIG, _FSMOUNT = 430, 431, 432
_FSOPEN_CLOEXEC, _FSMOUNT_CLOEXEC, _FSCONFIG_CMD_CREATE = 1, 1, 6
_FOLDER = re.compile(r"(?:(\d{1,20})-)?(\d{1,10})")

T = TypeVar("T")


@dataclass(frozen=True, order=True)
class NetworkNamespace:
    """A network namespace by its inode number and its cookie, 0 where the kernel has none."""

    inode: int
    cookie: int = 0

    @property
    def folder(self) -> str:
        """What folders of this namespace are called: COOKIE-INODE, or INODE where there is no cookie."""
        return f"{self.cookie}-{self.inode}" if self.cookie else str(self.inode)

    @classmethod
    def of_folder(cls, name: str) -> NetworkNamespace | None:
        """The namespace that a folder is called after, None if it is another folder."""
        found = _FOLDER.fullmatch(name)
        return cls(int(found[2]), int(found[1] or 0)) if found else None


def this_namespace() -> NetworkNamespace:
    """That of this thread."""
    return NetworkNamespace(Path("/proc/thread-self/ns/net").stat().st_ino, namespace_cookie())


def namespace_cookie() -> int:
    """A number no other network namespace had since boot (SO_NETNS_COOKIE, Linux 5.14), 0 where the kernel has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            return int.from_bytes(probe.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8), "little")
        except OSError:
            return 0


def never_reused() -> int:
    """The cookie, or before Linux 5.14 the number of the loopback device's directory in sysfs; 0 if neither is known.

    The latter needs CAP_SYS_ADMIN, since the sysfs that is mounted may be another namespace's.
    """
    return namespace_cookie() or _number_of_loopback()


def cookie_within(reference: Path) -> int:
    """The cookie of the namespace that a file under /proc/PID/ns or of nsfs stands for; 0 if it cannot be entered."""
    found = [0]

    def enter() -> None:  # a thread of its own: it never has to come back
        with suppress(OSError):
            fd = os.open(reference, os.O_RDONLY | os.O_CLOEXEC)
            try:
                if ctypes.CDLL(None, use_errno=True).setns(fd, _CLONE_NEWNET) == 0:
                    found[0] = namespace_cookie()
            finally:
                os.close(fd)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    return found[0]


def in_new_namespace(work: Callable[[], T]) -> T:
    """Do `work` in a network namespace of its own, which is gone afterwards. Raises NotPermittedError, KernelError.

    It runs in a thread of its own, which never has to come back; what it raises is raised here.
    """
    results: list[T] = []
    failures: list[BaseException] = []

    def enter() -> None:
        try:
            if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET) != 0:
                raise kernel_error(ctypes.get_errno(), "unshare")
            results.append(work())
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return results[0]


def _number_of_loopback() -> int:
    syscall = ctypes.CDLL(None, use_errno=True).syscall
    context = syscall(_FSOPEN, b"sysfs", _FSOPEN_CLOEXEC)
    if context < 0:
        return 0
    try:
        if syscall(_FSCONFIG, context, _FSCONFIG_CMD_CREATE, None, None, 0) < 0:
            return 0
        mount = syscall(_FSMOUNT, context, _FSMOUNT_CLOEXEC, 0)
    finally:
        os.close(context)
    if mount < 0:
        return 0
    try:
        return os.stat("devices/virtual/net/lo", dir_fd=mount).st_ino
    except OSError:
        return 0
    finally:
        os.close(mount)


def in_first_network_namespace() -> bool:
    """Whether this is the machine's first network namespace: only there are the sysctls of the whole machine."""
    return Path("/proc/sys/net/core/netdev_budget").exists()

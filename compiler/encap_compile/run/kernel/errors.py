"""What the kernel answers when it refuses, as types."""

from __future__ import annotations

import errno
import os

from .uapi import ENOTSUPP


class KernelError(Exception):
    """A call into the kernel failed. `errno` is positive; `call` names the libbpf function or netlink message."""

    def __init__(self, number: int, call: str) -> None:
        self.errno = number
        self.call = call
        super().__init__(f"{call}: {describe(number)}")


class NotFoundError(KernelError):
    """ENOENT: no such key, pin, program or device; or the end of an iteration."""


class NotPermittedError(KernelError):
    """EPERM or EACCES: a capability is missing, or a security module said no."""


class NotSupportedError(KernelError):
    """EOPNOTSUPP or the kernel's own ENOTSUPP: this kernel has the call, but not for this kind of object."""


class FullError(KernelError):
    """E2BIG or ENOSPC: a map holds as many entries as it can, or a buffer was too small."""


class LoadRefusedError(KernelError):
    """The kernel refused to load the object. `log` is all that libbpf printed, the verifier's log within it."""

    def __init__(self, number: int, call: str, log: str) -> None:
        self.log = log
        super().__init__(number, call)


_TYPES: dict[int, type[KernelError]] = {
    errno.ENOENT: NotFoundError,
    errno.EPERM: NotPermittedError,
    errno.EACCES: NotPermittedError,
    errno.EOPNOTSUPP: NotSupportedError,
    ENOTSUPP: NotSupportedError,
    errno.E2BIG: FullError,
    errno.ENOSPC: FullError,
}


def describe(number: int) -> str:
    """The error's name and words: "ENOENT, No such file or directory"."""
    if number == ENOTSUPP:
        return "ENOTSUPP, not supported"
    return f"{errno.errorcode.get(number, str(number))}, {os.strerror(number)}"


def kernel_error(number: int, call: str) -> KernelError:
    """The exception for a positive errno."""
    return _TYPES.get(number, KernelError)(number, call)

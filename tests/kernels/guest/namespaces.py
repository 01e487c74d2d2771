"""Network namespaces by name, entered by the calling thread.

Not `ip netns exec`: it remounts /sys, which hides the bpf filesystem and the cgroups.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def _enter(descriptor: int) -> None:
    if _libc.setns(descriptor, CLONE_NEWNET):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), "setns")


@contextmanager
def inside(name: str) -> Iterator[None]:
    """In the block, this thread, its new sockets and its new processes are in the namespace."""
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    there = os.open(f"/run/netns/{name}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _enter(there)
        try:
            yield
        finally:
            _enter(here)
    finally:
        os.close(here)
        os.close(there)


class CommandError(Exception):
    """A program of the lab failed; the message is what it said."""


def run(command: Sequence[str], text: str | None = None) -> str:
    """Run a program in the current namespace and return its output."""
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CommandError(f"{' '.join(command)}: {done.stderr.strip()}" + (f"\n{text}" if text else ""))
    return done.stdout


def ip(namespace: str | None, commands: Sequence[str]) -> None:
    """Run `ip` commands in one process, which matters where each process start is slow."""
    prefix = ["-n", namespace] if namespace else []
    run(["ip", *prefix, "-batch", "-"], "".join(f"{command}\n" for command in commands))

"""The programs that the matrix needs from the machine, and how to get them."""

from __future__ import annotations

import os
import shutil
import subprocess

# program -> Debian package. `ip` and `tc` run inside the guest, which sees this machine's root.
NEEDED = {
    "qemu-system-x86_64": "qemu-system-x86",
    "busybox": "busybox-static",
    "depmod": "kmod",
    "ip": "iproute2",
}
LIBBPF = ("libbpf1", "libbpf0")  # encapctl's library; the name differs between releases


class MachineError(Exception):
    """This machine cannot run the matrix; the message says what to do."""


def run(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
    """Run a program and return its output; a failure is a `MachineError` that carries what the program said."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    if done.returncode:
        raise MachineError(f"`{' '.join(command)}` failed with {done.returncode}:\n{done.stderr.strip()[-2000:]}")
    return done  # type: ignore[no-any-return]


def _sbin_too() -> None:
    """A user's PATH may lack sbin, where depmod and ip live."""
    path = os.environ.get("PATH", "").split(":")
    os.environ["PATH"] = ":".join(path + [p for p in ("/usr/sbin", "/sbin") if p not in path])


def ensure_tools() -> None:
    """Install what is missing through apt when root; otherwise say what to install."""
    _sbin_too()
    missing = [package for program, package in NEEDED.items() if not shutil.which(program)]
    if not _has_library("libbpf.so"):
        missing.append(LIBBPF[0])
    if not missing:
        return
    wanted = " ".join(sorted(missing))
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        line = f"apt-get update && apt-get install {wanted}"
        raise MachineError(f"missing on this machine: {wanted}. As root: {line}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update"], env=environment)
    if LIBBPF[0] in missing and subprocess.run(["apt-cache", "show", LIBBPF[0]], capture_output=True).returncode:
        missing[missing.index(LIBBPF[0])] = LIBBPF[1]
    run(["apt-get", "install", "-y", "--no-install-recommends", *missing], env=environment)


def _has_library(name: str) -> bool:
    """Whether the dynamic linker's cache has a library of that name."""
    listing = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, check=False).stdout
    return name in listing

"""Settings of this network namespace under /proc/sys (man 5 proc, sysctl.d).

Names are written with slashes, as net/ipv4/conf/lo/forwarding: names of devices may have dots. sysctl(8) takes both.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

_ROOT = Path("/proc/sys")


def read_sysctl(name: str) -> str | None:
    """The value of a setting; None if this kernel has none such."""
    try:
        return (_ROOT / name).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None


def read_sysctls(names: Iterable[str]) -> dict[str, str]:
    """Those that this kernel has, with their values."""
    return {name: value for name in dict.fromkeys(names) if (value := read_sysctl(name)) is not None}


def writable(name: str) -> bool:
    """Whether this process may set it: a container mostly sees /proc/sys read-only.

    access(2) does not know of capabilities that a user other than root has; to open it changes nothing.
    """
    try:
        os.close(os.open(_ROOT / name, os.O_WRONLY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def write_sysctl(name: str, value: str) -> None:
    """Raises OSError."""
    (_ROOT / name).write_text(f"{value}\n", encoding="ascii")

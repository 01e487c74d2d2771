"""Settings of this network namespace under /proc/sys (man 5 proc, sysctl.d).

Names are written with slashes, as net/ipv4/conf/lo/forwarding: names of devices may have dots. sysctl(8) takes both.
"""

from __future__ import annotations

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


def write_sysctl(name: str, value: str) -> None:
    """Raises OSError."""
    (_ROOT / name).write_text(f"{value}\n", encoding="ascii")

"""Settings of this network namespace under /proc/sys (man 5 proc, sysctl.d)."""

from __future__ import annotations

from pathlib import Path

_ROOT = Path("/proc/sys")


def read_sysctl(name: str) -> str | None:
    """The value of net.ipv4.conf.lo.forwarding, say; None if this kernel has no such setting."""
    try:
        return _path(name).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None


def write_sysctl(name: str, value: str) -> None:
    """Raises OSError."""
    _path(name).write_text(f"{value}\n", encoding="ascii")


def _path(name: str) -> Path:
    return _ROOT / name.replace(".", "/")

"""Where the copies are that a machine boots from, and whose network namespace they are for."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "ENCAP_KEPT"
DEFAULT = Path("/var/lib/encap")
CURRENT = "current"


def folder(name: str) -> Path:
    """Where the copies of a bundle are."""
    return Path(os.environ.get(VARIABLE, "") or DEFAULT) / name


def is_kept(name: str) -> bool:
    """Whether there is a copy of a bundle."""
    return (folder(name) / CURRENT).is_symlink()


def kept_bundles() -> list[str]:
    """The names of all bundles with a copy for this network namespace."""
    root = folder("any").parent
    if not concerns_this_namespace() or not root.is_dir():
        return []
    return sorted(p.name for p in root.iterdir() if is_kept(p.name))


def concerns_this_namespace() -> bool:
    """Whether copies are of this network namespace: they are of the machine's own, or of where ENCAP_KEPT names."""
    if os.environ.get(VARIABLE):
        return True
    try:
        return Path("/proc/1/ns/net").stat().st_ino == Path("/proc/thread-self/ns/net").stat().st_ino
    except OSError:
        return False

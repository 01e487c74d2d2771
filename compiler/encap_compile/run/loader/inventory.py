"""Every bundle that has left something: state, pins, filters; of this namespace, and of others by name alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ...common.record import Record
from ..kernel.devices import devices
from ..kernel.hooks.clsact import bundles_on
from .bundle import NAME
from .paths import Paths


class Elsewhere(Record):
    """Bundles of another network namespace, known by the name of its folder."""

    namespace: str
    bundles: tuple[str, ...]


def bundles_here(paths: Paths) -> list[str]:
    """The bundles that have state, pins or a filter in the namespace of `paths`, by name. Raises KernelError."""
    found = {name for folder in _folders(paths) for name in _bundles(folder)}
    for device in devices().values():
        found |= bundles_on(device.index)
    return sorted(name for name in found if NAME.fullmatch(name))


def bundles_elsewhere(paths: Paths) -> list[Elsewhere]:
    """The same for every other namespace that something was pinned or remembered for, as far as folders tell."""
    found: dict[str, set[str]] = {}
    folders = _folders(paths)
    ours = {folder.name for folder in folders}
    for root in dict.fromkeys(folder.parent for folder in folders):
        for other in _inside(root):
            if other.name not in ours:
                found.setdefault(other.name, set()).update(_bundles(other))
    return [Elsewhere(name, tuple(sorted(bundles))) for name, bundles in sorted(found.items()) if bundles]


def _folders(paths: Paths) -> list[Path]:
    """Where bundles of this namespace have their folders, also those of the first release."""
    found = []
    for each in (paths.moved(), paths.by_inode()):
        one = replace(each, bundle="any")
        found += [one.pins.parent, one.state.parent]
    return found


def _bundles(folder: Path) -> list[str]:
    return [p.name for p in _inside(folder)]


def _inside(folder: Path) -> list[Path]:
    return [p for p in folder.iterdir() if p.is_dir()] if folder.is_dir() else []

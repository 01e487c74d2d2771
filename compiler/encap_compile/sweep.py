"""Taking away what bundles left in network namespaces that are gone: pins, programs on cgroups, state.

A namespace is known by its inode, which another one may be given later. It counts as gone if nothing in /proc refers to
it and no program of ours is on a device of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .diagnostics import DiagnosedError, Diagnostic, Exit
from .kernel.hooks.base import DEVICE_POINTS, Point
from .kernel.hooks.pinned import is_on, pinned_hooks, take_off
from .kernel.machine import in_first_pid_namespace
from .kernel.namespaces import living
from .loader.desired import require_privilege
from .loader.erase import erase
from .loader.lock import locked
from .loader.paths import Paths


@dataclass(frozen=True)
class Left:
    """What a bundle left in a namespace: links of programs and maps that are pinned."""

    namespace: int
    bundle: str
    links: int
    maps: int


def sweep(bpffs: str = "", look: bool = False) -> tuple[Left, ...]:
    """Find and take away, or with `look` only find. Raises DiagnosedError (H101, H118), KernelError, OSError."""
    require_privilege()
    if not in_first_pid_namespace():
        words = "not all processes can be seen from here, so no network namespace can be told to be gone"
        raise DiagnosedError([Diagnostic("H118", words, help="run it outside of the container")], Exit.MACHINE)
    here = Paths.of("", bpffs)
    known = _numbers((here.bpffs / "encap", here.state_root))
    found: list[Left] = []
    for number in sorted(known - living()) if known else ():
        if look:
            found += _gone(here, number)
            continue
        with locked(here.state_root / str(number)):
            # Now none that was given the number meanwhile can apply anything.
            if number not in living():
                found += [_taken_away(here, left) for left in _gone(here, number)]
                _tidy(here, number)
    return tuple(found)


def _numbers(folders: Iterable[Path]) -> set[int]:
    return {int(p.name) for folder in folders if folder.is_dir() for p in folder.iterdir() if p.name.isdigit()}


def _gone(here: Paths, number: int) -> list[Left]:
    """What each bundle left; nothing if a program of one is still on a device."""
    folders = (here.bpffs / "encap" / str(number), here.state_root / str(number))
    names = sorted({p.name for folder in folders if folder.is_dir() for p in folder.iterdir() if p.is_dir()})
    found = []
    for name in names:
        paths = _paths(here, number, name)
        hooks = pinned_hooks(paths.owner, Point)
        if any(hook.point in DEVICE_POINTS and is_on(paths.owner, hook) for hook in hooks):
            return []
        maps = sum(1 for _ in paths.maps.iterdir()) if paths.maps.is_dir() else 0
        found.append(Left(number, name, len(hooks), maps))
    return found


def _taken_away(here: Paths, left: Left) -> Left:
    paths = _paths(here, left.namespace, left.bundle)
    for hook in sorted(pinned_hooks(paths.owner, Point), key=lambda hook: -hook.point.rank):
        take_off(paths.owner, hook)
    erase(paths)
    return left


def _tidy(here: Paths, number: int) -> None:
    """Take the marks of qdiscs away, which went with their devices, if nothing of a bundle is there any more."""
    folder = here.state_root / str(number)
    if not any(p.is_dir() for p in folder.iterdir()):
        for mark in folder.glob("clsact_*"):
            mark.unlink(missing_ok=True)


def _paths(here: Paths, number: int, bundle: str) -> Paths:
    return Paths(here.bpffs, here.state_root, number, bundle)

"""Taking away what bundles left in network namespaces that are gone: pins, programs on cgroups, state.

A namespace counts as gone if nothing in /proc refers to its inode number, or if the one that was given this number has
another cookie; and if no program of ours is on a device of it.
"""

from __future__ import annotations

import shutil
from dataclasses import replace

from ..common.diagnostics import DiagnosedError, Diagnostic, Exit
from ..common.record import Record
from .kernel.hooks.base import DEVICE_POINTS, Point
from .kernel.hooks.pinned import detach, is_on, pinned_hooks
from .kernel.namespaces import living
from .kernel.netns import NetworkNamespace, cookie_within
from .kernel.system import in_first_pid_namespace
from .kernel.uapi import CAP_SYS_PTRACE
from .loader.desired import require_privilege
from .loader.erase import erase
from .loader.journal import journals_folder
from .loader.lock import FOR_EVER, Patience, locked
from .loader.paths import OF_THE_MACHINE, Paths
from .loader.pins_elsewhere import require_pins
from .loader.state_files import load


class Left(Record):
    """What a bundle left in a namespace: links of programs and maps that are pinned.

    `cookie` is the namespace's, 0 where its folder does not say it.
    """

    namespace: int
    cookie: int
    bundle: str
    links: int
    maps: int


def sweep(bpffs: str = "", look: bool = False, patience: Patience = FOR_EVER) -> tuple[Left, ...]:
    """Find and take away, or with `look` only find. Raises DiagnosedError (H101, H118, H132), KernelError, OSError."""
    require_privilege(CAP_SYS_PTRACE)  # without it no other process shows its namespaces
    if not in_first_pid_namespace():
        words = "not all processes can be seen from here, so no network namespace can be told to be gone"
        raise DiagnosedError([Diagnostic("H118", words, help="run it outside of the container")], Exit.MACHINE)
    here = Paths.within(NetworkNamespace(0), "", bpffs)
    require_pins(here)
    known = _known(here)
    found: list[Left] = []
    if not known:
        return ()
    alive = _Alive()
    for namespace in sorted(known):
        here = Paths.within(namespace, "", bpffs)
        if not any(alive.gone(here, name) for name in ("", *_bundles(here))):
            continue
        if look:
            found += _left(here, alive)
            continue
        with locked(here.machine_state, patience):
            # Now none that was given the number meanwhile can apply anything.
            alive = _Alive()
            found += [_taken_away(here, left) for left in _left(here, alive)]
            if alive.gone(here):
                _tidy(here)
    return tuple(found)


class _Alive:
    """The namespaces that are there. Cookies are asked for where an inode number alone does not tell."""

    def __init__(self) -> None:
        self._files = living()
        self._cookies: dict[int, int] = {}

    def cookie(self, inode: int) -> int:
        """That of the living namespace with this number; 0 if it cannot be entered, or the kernel has none."""
        if inode not in self._cookies:
            known = (cookie_within(file) for file in self._files[inode])
            self._cookies[inode] = next((cookie for cookie in known if cookie), 0)
        return self._cookies[inode]

    def gone(self, here: Paths, bundle: str = "") -> bool:
        """Whether a folder's namespace is gone, or that of a bundle in it: the first release's folders say no cookie,
        but its states do."""
        namespace = here.namespace
        if namespace.inode not in self._files:
            return True
        of = namespace.cookie
        if not of and bundle:
            state = load(here.state / bundle)
            of = state.namespace_cookie if state else 0
        return bool(of) and self.cookie(namespace.inode) not in (0, of)


def _known(here: Paths) -> set[NetworkNamespace]:
    folders = (f for f in (here.bpffs / "encap", here.state_root, journals_folder()) if f.is_dir())
    names = (NetworkNamespace.of_folder(entry.name) for folder in folders for entry in folder.iterdir())
    return {namespace for namespace in names if namespace is not None}


def _bundles(here: Paths) -> list[str]:
    folders = (here.pins, here.state)
    return sorted({p.name for folder in folders if folder.is_dir() for p in folder.iterdir() if p.is_dir()})


def _left(here: Paths, alive: _Alive) -> list[Left]:
    """What each bundle left; nothing if its namespace is there, or a program of one is still on a device."""
    found = []
    for name in _bundles(here):
        if not alive.gone(here, name):
            continue
        paths = replace(here, bundle=name)
        hooks = pinned_hooks(paths.owner, Point)
        if any(hook.point in DEVICE_POINTS and is_on(paths.owner, hook) for hook in hooks):
            return []
        maps = sum(1 for _ in paths.maps.iterdir()) if paths.maps.is_dir() else 0
        found.append(Left(here.namespace.inode, here.namespace.cookie, name, len(hooks), maps))
    return found


def _taken_away(here: Paths, left: Left) -> Left:
    paths = replace(here, bundle=left.bundle)
    for hook in sorted(pinned_hooks(paths.owner, Point), key=lambda hook: -hook.point.rank):
        detach(paths.owner, hook)
    erase(paths)
    return left


def _tidy(here: Paths) -> None:
    """Take away marks of qdiscs and journals of what was set, which went with the namespace, if no bundle is left."""
    folder = here.machine_state
    if not any(p.is_dir() for p in folder.iterdir()):
        for mark in folder.glob(OF_THE_MACHINE):
            mark.unlink(missing_ok=True)
        shutil.rmtree(journals_folder() / here.namespace.folder, ignore_errors=True)

"""Taking over what the first release kept under the inode number of this network namespace.

Pins and state move by one rename each, which changes nothing for packets. Killed anywhere, `Paths.found` tells where
each of them is, and the next run goes on. Where the first release was gone back to, it has begun again beside what is
here: that is joined to ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ...common.folders import PRIVATE, PUBLIC, make_folders
from ..kernel.hooks.base import Point
from ..kernel.hooks.pinned import detach, is_on, pinned_hooks
from ..kernel.pins import pins_in, remove_empty
from .erase import erase
from .lock import Patience, locked
from .observe import both
from .paths import OF_THE_MACHINE, Paths
from .state_files import load, save


@contextmanager
def held(paths: Paths, patience: Patience) -> Iterator[Paths]:
    """Lock this namespace for one run and move what the first release left of the bundle, and of the one it replaces.

    Raises DiagnosedError (H132 if another run holds the lock for too long), OSError.
    """
    with locked(paths.machine_state, patience):
        for bundle in filter(None, (paths.bundle, paths.former)):
            _move(paths.named(bundle).moved(), patience)
        yield paths.moved()


def _move(here: Paths, patience: Patience) -> None:
    first = here.by_inode()
    if first == here or not (first.pins.parent.exists() or first.state.parent.exists()):
        return
    with locked(first.state.parent, patience):  # the first release's own lock; it takes an empty folder away
        now = here.found()
        if now != here:
            make_folders(here.pins.parent, PRIVATE)
            make_folders(here.machine_state, PUBLIC)
            for mark in first.state.parent.glob(OF_THE_MACHINE):
                mark.rename(here.machine_state / mark.name)
            for old, new in ((now.pins, here.pins), (now.state, here.state)):
                if old != new:
                    old.rename(new)
        elif here.left_beside() is not None:
            _join(here, first)
        remove_empty(first.pins.parent, here.bpffs)


def _join(here: Paths, first: Paths) -> None:
    """Make what the first release has begun beside ours a part of it: its counters count, and its programs go.

    Where a hook has a link of each, ours stays on it, and what it has encapsulated is not encapsulated again meanwhile.
    """
    state = both(load(here.state), load(first.state))
    if state is not None:
        save(here.state, state)
    ours = {hook for hook in pinned_hooks(here.owner, Point) if is_on(here.owner, hook)}
    for hook in pinned_hooks(first.owner, Point):
        if hook in ours:
            detach(first.owner, hook)
    for source, target in ((first.maps, here.maps), (first.links, here.links)):
        for pinned in list(pins_in(source)):
            make_folders(target, PRIVATE)
            pinned.rename(target / pinned.name)
    erase(first)

"""Taking over what the first release kept under the inode number of this network namespace.

Pins and state move by one rename each, which changes nothing for packets. Killed anywhere, `Paths.found` tells where
each of them is, and the next run goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..folders import PRIVATE, PUBLIC, make_folders
from ..kernel.pins import remove_empty
from .lock import Patience, locked
from .paths import OF_THE_MACHINE, Paths


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
        remove_empty(first.pins.parent, here.bpffs)

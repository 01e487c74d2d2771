"""Where things are kept: pins in the bpf filesystem, state for people under /run.

Folders belong to a network namespace and are called after its cookie and its inode number. The first release called
them after the inode number alone; what it left is found there until `adopt` has moved it, pins and state each in one
step, so that a run that is killed between them leaves both where they are found.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ..folders import PRIVATE, PUBLIC, make_folders
from ..kernel.hooks.base import Owner
from ..kernel.netns import NetworkNamespace, this_namespace
from ..kernel.pins import DEFAULT, remove_empty
from .lock import Patience, locked
from .state import from_another_namespace, load

BPFFS_VARIABLE = "ENCAP_BPFFS"
STATE_VARIABLE = "ENCAP_STATE"
DEFAULT_STATE = Path("/run/encap")
OF_THE_MACHINE = "clsact_*"  # files beside the folders of bundles: which qdiscs we added


@dataclass(frozen=True)
class Paths:
    """All paths of one bundle in one network namespace.

    `pins_of` and `state_of` name the namespace's folder that pins and state lie in, which may be one of the first
    release.
    """

    bpffs: Path
    state_root: Path
    namespace: NetworkNamespace
    bundle: str
    pins_of: str
    state_of: str

    @classmethod
    def of(cls, bundle: str, bpffs: str = "") -> Paths:
        """For the namespace of this process; `bpffs` overrides ENCAP_BPFFS, which overrides /sys/fs/bpf."""
        return cls.within(this_namespace(), bundle, bpffs).found()

    @classmethod
    def within(cls, namespace: NetworkNamespace, bundle: str, bpffs: str = "") -> Paths:
        """For any namespace, as this release lays it out."""
        root = bpffs or os.environ.get(BPFFS_VARIABLE, "") or str(DEFAULT)
        state = os.environ.get(STATE_VARIABLE, "") or str(DEFAULT_STATE)
        return cls(Path(root), Path(state), namespace, bundle, namespace.folder, namespace.folder)

    @property
    def pins(self) -> Path:
        return self.bpffs / "encap" / self.pins_of / self.bundle

    @property
    def maps(self) -> Path:
        return self.pins / "maps"

    @property
    def links(self) -> Path:
        return self.pins / "links"

    @property
    def machine_state(self) -> Path:
        """Shared by all bundles of the namespace, and where they are locked."""
        return self.state_root / self.namespace.folder

    @property
    def state(self) -> Path:
        return self.state_root / self.state_of / self.bundle

    @property
    def owner(self) -> Owner:
        return Owner(self.bundle, self.links, self.machine_state)

    @property
    def former(self) -> Paths:
        """The same, as the first release laid it out."""
        inode = str(self.namespace.inode)
        return replace(self, pins_of=inode, state_of=inode)

    def found(self) -> Paths:
        """Where pins and state lie now; what the first release left of a namespace that is gone does not count."""
        former = self.former
        if former == self or not (former.pins.exists() or former.state.exists()):
            return self
        if from_another_namespace(load(former.state)):
            return self
        return replace(
            self,
            pins_of=self.pins_of if self.pins.exists() or not former.pins.exists() else former.pins_of,
            state_of=self.state_of if self.state.exists() or not former.state.exists() else former.state_of,
        )


def adopt(paths: Paths, patience: Patience) -> Paths:
    """Move what the first release left to where this one keeps it. The namespace must be locked. Raises OSError."""
    here = replace(paths, pins_of=paths.namespace.folder, state_of=paths.namespace.folder)
    former_pins, former_state = here.former.pins.parent, here.former.state.parent
    if here.former == here or not (former_pins.exists() or former_state.exists()):
        return here
    with locked(former_state, patience):  # the first release's own lock; it takes an empty folder away
        paths = here.found()
        if paths != here:
            make_folders(here.pins.parent, PRIVATE)
            make_folders(here.machine_state, PUBLIC)
            for mark in former_state.glob(OF_THE_MACHINE):
                mark.rename(here.machine_state / mark.name)
            for old, new in ((paths.pins, here.pins), (paths.state, here.state)):
                if old != new:
                    old.rename(new)
        remove_empty(former_pins, here.bpffs)
    return here


@contextmanager
def held(bundle: str, bpffs: str, patience: Patience) -> Iterator[Paths]:
    """Lock this namespace for one run and take over what the first release left of the bundle.

    Raises DiagnosedError (H132 if another run holds the lock for too long), OSError.
    """
    with locked(Paths.of(bundle, bpffs).machine_state, patience):
        yield adopt(Paths.of(bundle, bpffs), patience)

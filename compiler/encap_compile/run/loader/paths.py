"""Where things are kept: pins in the bpf filesystem, state for people under /run.

Folders belong to a network namespace and are called after its cookie and its inode number. The first release called
them after the inode number alone. What it left is found there until `run.loader.first_release` moves it, pins and state
each in one step, so that a run that is killed between them leaves both where they are found.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from ...common.record import Record
from ..kernel.bpffs import DEFAULT
from ..kernel.hooks.base import Owner
from ..kernel.netns import NetworkNamespace, this_namespace
from .state import from_another_namespace
from .state_files import load

BPFFS_VARIABLE = "ENCAP_BPFFS"
STATE_VARIABLE = "ENCAP_STATE"
DEFAULT_STATE = Path("/run/encap")
OF_THE_MACHINE = "clsact_*"  # files beside the folders of bundles: which qdiscs we added


class Paths(Record):
    """All paths of one bundle in one network namespace.

    `pins_of` and `state_of` name the namespace's folder that pins and state lie in, which may be one of the first
    release. `former` names the bundle that this one replaces, whose pins, state and filters it takes over.
    """

    bpffs: Path
    state_root: Path
    namespace: NetworkNamespace
    bundle: str
    pins_of: str
    state_of: str
    former: str = ""

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
    def programs(self) -> Path:
        """Pins of what was attached, called after the kernel's id: by id alone only CAP_SYS_ADMIN may look at it."""
        return self.pins / "programs"

    @property
    def hosts(self) -> Path:
        """Likewise pins of the maps with programs' host values."""
        return self.pins / "hosts"

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
        return Owner(self.bundle, self.links, self.machine_state, self.former)

    @property
    def owners(self) -> tuple[Owner, ...]:
        """Each bundle whose programs are this one's to replace, its own last."""
        own = self.named(self.bundle).owner
        return (self.named(self.former).owner, own) if self.former else (own,)

    def named(self, bundle: str) -> Paths:
        """The paths of another bundle in the same namespace."""
        return replace(self.moved(), bundle=bundle, former="").found()

    def moved(self) -> Paths:
        """The same, as this release lays it out."""
        return replace(self, pins_of=self.namespace.folder, state_of=self.namespace.folder)

    def by_inode(self) -> Paths:
        """The same, as the first release laid it out."""
        inode = str(self.namespace.inode)
        return replace(self, pins_of=inode, state_of=inode)

    def left_beside(self) -> Paths | None:
        """What the first release has pinned for a bundle that has pins or state of ours as well: it does not look for
        these, and so has begun again beside them."""
        here, first = self.moved(), self.by_inode()
        if first == here or self.found() != here or not (first.pins.exists() or first.state.exists()):
            return None
        return None if from_another_namespace(load(first.state)) else first

    def found(self) -> Paths:
        """Where pins and state lie now; what the first release left of a namespace that is gone does not count."""
        here, first = self.moved(), self.by_inode()
        if first == here or not (first.pins.exists() or first.state.exists()):
            return here
        if from_another_namespace(load(first.state)):
            return here
        return replace(
            here,
            pins_of=here.pins_of if here.pins.exists() or not first.pins.exists() else first.pins_of,
            state_of=here.state_of if here.state.exists() or not first.state.exists() else first.state_of,
        )

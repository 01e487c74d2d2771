"""Where things are kept: pins in the bpf filesystem, state for people under /run."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from ..kernel.hooks.base import Owner
from ..kernel.machine import network_namespace
from ..kernel.pins import DEFAULT

BPFFS_VARIABLE = "ENCAP_BPFFS"
STATE_VARIABLE = "ENCAP_STATE"
DEFAULT_STATE = Path("/run/encap")


@dataclass(frozen=True)
class Paths:
    """All paths of one bundle in one network namespace, whose inode number is a part of them.

    `former` names the bundle that this one replaces, whose pins, state and filters it takes over.
    """

    bpffs: Path
    state_root: Path
    namespace: int
    bundle: str
    former: str = ""

    @classmethod
    def of(cls, bundle: str, bpffs: str = "") -> Paths:
        """For the namespace of this process; `bpffs` overrides ENCAP_BPFFS, which overrides /sys/fs/bpf."""
        root = bpffs or os.environ.get(BPFFS_VARIABLE, "") or str(DEFAULT)
        state = os.environ.get(STATE_VARIABLE, "") or str(DEFAULT_STATE)
        return cls(Path(root), Path(state), network_namespace(), bundle)

    @property
    def pins(self) -> Path:
        return self.bpffs / "encap" / str(self.namespace) / self.bundle

    @property
    def maps(self) -> Path:
        return self.pins / "maps"

    @property
    def links(self) -> Path:
        return self.pins / "links"

    @property
    def machine_state(self) -> Path:
        """Shared by all bundles of the namespace."""
        return self.state_root / str(self.namespace)

    @property
    def state(self) -> Path:
        return self.machine_state / self.bundle

    @property
    def owner(self) -> Owner:
        return Owner(self.bundle, self.links, self.machine_state, self.former)

    def named(self, bundle: str) -> Paths:
        """The paths of another bundle in the same namespace."""
        return replace(self, bundle=bundle, former="")

    @property
    def owners(self) -> tuple[Owner, ...]:
        """Each bundle whose programs are this one's to replace, its own last."""
        own = self.named(self.bundle).owner
        return (self.named(self.former).owner, own) if self.former else (own,)

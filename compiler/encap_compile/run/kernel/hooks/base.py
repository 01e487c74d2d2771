"""The interface of an attach kind."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import NamedTuple, Protocol

from ....common.record import Record


class Point(StrEnum):
    """Where a program runs on what it is attached to, by the names that the manifest uses.

    Programs are attached in this order: what was encapsulated is understood before something is, listeners are known
    before they answer, what leaves by other devices is checked once ours have programs, and sockets may choose, or
    be chosen for, when that is followed. They are detached in the reverse order.
    """

    INGRESS = "tc_ingress"
    LISTEN = "cgroup_listen"
    EGRESS = "tc_egress"
    CREATE = "cgroup_create"
    UNATTACHED = "cgroup_unattached"
    GETSOCKOPT = "cgroup_getsockopt"
    SETSOCKOPT = "cgroup_setsockopt"
    CONNECT4 = "cgroup_connect4"
    CONNECT6 = "cgroup_connect6"

    @property
    def word(self) -> str:
        """What stands behind the underscore: ingress, egress, setsockopt ..."""
        return self.value.partition("_")[2]

    @property
    def rank(self) -> int:
        """Its place in the order."""
        return tuple(Point).index(self)


DEVICE_POINTS = frozenset({Point.INGRESS, Point.EGRESS})
CGROUP_POINTS = frozenset(Point) - DEVICE_POINTS


class Hook(NamedTuple):
    """One hook: `target` is a device's ifindex or a cgroup's number, as `point` is one of devices or of cgroups."""

    target: int
    point: Point


class Owner(Record):
    """Whose programs: the bundle's name, the folder of its link pins and the folder of machine-wide state.

    `former` names the bundle that this one replaces: a clsact filter of it is ours to replace.
    """

    bundle: str
    links: Path
    state: Path
    former: str = ""


class OnHook(Record):
    """A program on a hook, or a filter that is no program (`program_id` 0).

    `ends` says what a filter does with a packet that it matches, if what is behind it does not see that packet;
    `priority` and `place` are those of a filter.
    """

    kind: str  # tcx, clsact or cgroup
    program_id: int
    name: str
    ours: bool
    ends: str = ""
    priority: int = 0
    place: str = ""


class AttachKind(Protocol):
    """One way to attach a program. Every method raises KernelError; `attach` is one step for packets and sockets.

    Hooks are of the points that the kind is for; what is gone (a device, a cgroup) is a NotFoundError, or no programs.
    """

    name: str
    points: frozenset[Point]

    def programs(self, owner: Owner, hook: Hook) -> list[OnHook]:
        """All programs of this kind on the hook, in the order they run."""
        ...

    def attach(self, owner: Owner, hook: Hook, program_fd: int) -> None:
        """Put our program on the hook, or replace ours that is there. Others' programs stay as they are."""
        ...

    def detach(self, owner: Owner, hook: Hook) -> None:
        """Take ours off. Nothing happens if it is not there."""
        ...

    def tidy(self, owner: Owner) -> None:
        """After all of ours are off: take away what was made to hold them, if nothing else uses it."""
        ...

    def attached(self, owner: Owner) -> list[Hook]:
        """Every hook of this network namespace that has ours on it, or a leftover of it."""
        ...

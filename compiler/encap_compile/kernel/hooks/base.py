"""The interface of an attach kind."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class Direction(StrEnum):
    """A hook of a device, by the names that the manifest uses."""

    INGRESS = "tc_ingress"
    EGRESS = "tc_egress"

    @property
    def word(self) -> str:
        """ingress or egress, as `tc` has it."""
        return self.value.removeprefix("tc_")


@dataclass(frozen=True)
class Owner:
    """Whose programs: the bundle's name, the folder of its link pins and the folder of machine-wide state."""

    bundle: str
    links: Path
    state: Path


@dataclass(frozen=True)
class OnHook:
    """A program on a hook, or a filter that is no program (`program_id` 0)."""

    kind: str  # tcx or clsact
    program_id: int
    name: str
    ours: bool


class AttachKind(Protocol):
    """One way to attach a program. Every method raises KernelError; `attach` and `replace` are one step for packets."""

    name: str

    def programs(self, owner: Owner, ifindex: int, direction: Direction) -> list[OnHook]:
        """All programs of this kind on the hook, in the order they run."""
        ...

    def attach(self, owner: Owner, ifindex: int, direction: Direction, program_fd: int) -> None:
        """Put our program on the hook, or replace ours that is there. Others' programs stay as they are."""
        ...

    def detach(self, owner: Owner, ifindex: int, direction: Direction) -> None:
        """Take ours off. Nothing happens if it is not there."""
        ...

    def tidy(self, owner: Owner) -> None:
        """After all of ours are off: take away what was made to hold them, if nothing else uses it."""
        ...

    def attached(self, owner: Owner) -> list[tuple[int, Direction]]:
        """Every hook of this network namespace that has ours on it, or a leftover of it."""
        ...

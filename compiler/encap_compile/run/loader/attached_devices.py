"""The devices whose packets come to our programs, as the programs on cgroups know them."""

from __future__ import annotations

from collections.abc import Sequence

from ...common.diagnostics import Findings
from ...common.manifest import Manifest
from ..host_values import Machine
from .compose import ATTACHED, word_of


def attached_indexes(manifest: Manifest, machine: Machine, route: int = 0) -> tuple[int, ...]:
    """The ifindexes of the attached devices and of those above them, and of the route device, if it is there.

    None if no program asks. Raises KernelError.
    """
    from ..kernel.stacking import passing_through

    if not _room(manifest):
        return ()
    return tuple(passing_through([*(device.index for device in machine.attached), *([route] if route else [])]))


def check_attached(manifest: Manifest, found: Sequence[int], findings: Findings) -> None:
    """H151 for more devices than programs have room for."""
    room = _room(manifest)
    if len(found) > room:
        words = f"{len(found)} devices are attached or lie above attached ones, but programs distinguish {room}"
        findings.error("H151", words, help="attach to fewer devices; or write `egress: {unattached: pass}`")


def _room(manifest: Manifest) -> int:
    return next((m.member.size // 4 for m in manifest.host_members if word_of(m) == ATTACHED), 0)

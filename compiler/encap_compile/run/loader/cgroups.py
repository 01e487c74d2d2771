"""The cgroups that a bundle names, as they are on this machine: by path, and by the number that the kernel gave them.

A path is a name that stays; behind it one cgroup may follow another, as when a unit starts again. Packets of a cgroup
that is gone are still sent: by connections that are being closed, and by processes that were moved elsewhere. So the
numbers that a path had before stay known as long as the maps have room, and mean the same: no number comes twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from pathlib import Path

from ...common.diagnostics import Diagnostic, Findings
from ...common.manifest import Cgroup, Manifest
from ...common.record import Record
from ..host_values import Machine
from ..kernel.cgroups import Cgroup as Found
from ..kernel.cgroups import Hierarchy, hierarchy
from ..kernel.hooks.base import Point
from ..kernel.system import kernel_version

PACKET_COOKIE_SINCE = (6, 13)  # bpf_get_netns_cookie for programs on the packets of a cgroup's sockets
FORMER = 4  # numbers that are remembered for each path


class Cgroups(Record):
    """`numbers` are those of the paths that were asked for, 0 where there is no cgroup now; `former` see above."""

    hierarchy: Hierarchy
    attached: Found
    numbers: Mapping[str, int]
    former: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def pending(self) -> tuple[str, ...]:
        """The paths at which there is no cgroup now."""
        return tuple(path for path, number in self.numbers.items() if not number)

    def remembering(self, before: Mapping[str, int], former: Mapping[str, Iterable[int]]) -> Cgroups:
        """The same, knowing what numbers the paths had when the bundle was applied last."""
        found = {}
        for path, number in self.numbers.items():
            older = dict.fromkeys((before.get(path, 0), *former.get(path, ())))
            kept = tuple(n for n in older if n and n != number)[:FORMER]
            if kept:
                found[path] = kept
        return Cgroups(self.hierarchy, self.attached, self.numbers, found)

    def now(self) -> dict[str, int]:
        """The numbers as they are at this moment; all 0 if the attached cgroup has gone."""
        return {path: _number(self.hierarchy, below(self.attached.path, path)) for path in self.numbers}

    def folders(self) -> list[Path]:
        """The directories in which the cgroups of all paths come and go."""
        found: dict[Path, None] = {}
        for path in ("", *self.numbers):
            directory = self.hierarchy.directory(below(self.attached.path, path))
            while directory is not None and directory != self.hierarchy.mount:
                directory = directory.parent
                found[directory] = None
        return list(found)


def needed_points(named: Cgroup) -> frozenset[Point]:
    """Where programs of a cgroup go on this kernel."""
    points = frozenset(map(Point, named.hooks))
    # Where packets tell their network namespace, no socket has to be marked.
    return points - {Point.CREATE} if kernel_version() >= PACKET_COOKIE_SINCE else points


def attached_path(manifest: Manifest, machine: Machine) -> str:
    """The path of the attached cgroup, empty if none is."""
    name = manifest.cgroup.removeprefix("host.")
    if name == manifest.cgroup:
        return manifest.cgroup
    return machine.values[name].text() if name in machine.values else ""


def find_cgroups(attached: str, paths: Iterable[str], findings: Findings) -> Cgroups | None:
    """Look for the attached cgroup and those of `paths` below it; H116 or H117 if that cannot be."""
    whole = hierarchy()
    if whole is None:
        findings.extend([_no_hierarchy()])
        return None
    found = whole.find(attached)
    if found is None:
        words = (
            f"there is no cgroup {attached} (below {whole.mount}{f', which shows {whole.root}' if whole.root else ''})"
        )
        fix = "start what makes it first, or name another one in the spec or its host value"
        findings.error("H117", words, help=fix)
        return None
    numbers = {path: _number(whole, below(attached, path)) for path in dict.fromkeys(paths)}
    return Cgroups(whole, found, numbers)


def below(attached: str, path: str) -> str:
    """The path from the root of the hierarchy of one that is given below the attached cgroup."""
    return attached if not path else f"{attached.rstrip('/')}/{path}"


def depth(path: str) -> int:
    """Levels below the attached cgroup, which itself has the empty path."""
    return path.count("/") + 1 if path else 0


def mask(named: Iterable[Cgroup], path: str) -> int:
    """The set of named cgroups that the one at `path` is or lies within, by their bits."""
    bits = 0
    for cgroup in named:
        if cgroup.path in ("", path) or path.startswith(f"{cgroup.path}/"):
            bits |= 1 << cgroup.bit
    return bits


def _number(whole: Hierarchy, path: str) -> int:
    found = whole.find(path)
    return found.number if found else 0


def _no_hierarchy() -> Diagnostic:
    words = "no cgroup2 hierarchy is mounted whose paths this process could tell"
    fix = "mount it: `mount -t cgroup2 none /sys/fs/cgroup`; in a container, give it the machine's cgroup namespace"
    return Diagnostic("H116", words, help=fix)

"""Whose sockets the rules by socket and cgroup see: those of this network namespace, in the cgroups with programs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ...common.diagnostics import Findings
from ...common.manifest import Manifest
from ...common.record import Record
from ..kernel.netns import in_first_network_namespace, namespace_cookie, this_namespace
from ..kernel.system import kernel_release, kernel_version
from .cgroups import PACKET_COOKIE_SINCE, Cgroups, below
from .compose import SOCKET_NETNS, word_of

MOST_PROCESSES = 20_000  # that are looked at
MOST_NAMED = 3


class Scope(Record):
    """`elsewhere` are processes in the cgroups that are in other network namespaces, `NAME PID` of the first few.

    `marked`: packets do not tell their namespace on this kernel; only sockets that are made from now on do.
    """

    count: int
    elsewhere: tuple[str, ...]
    marked: bool


def find_scope(manifest: Manifest, cgroups: Cgroups, findings: Findings) -> Scope:
    """Look at the processes in the cgroups with programs; H150 where namespaces cannot be told apart."""
    marking = any(word_of(m) == SOCKET_NETNS for m in manifest.host_members)
    if marking and not namespace_cookie() and not in_first_network_namespace():
        words = (
            f"kernel {kernel_release()} tells programs only the machine's first network namespace from the others: "
            "sockets of other namespaces in the same cgroups are taken for ours where they leave by other devices"
        )
        help = "let all sockets of a cgroup be of one namespace, or run Linux 5.14 or newer"
        findings.warning("H150", words, help=help)
    own, found = this_namespace().inode, []
    for process in _processes(cgroups, [c.path for c in manifest.cgroups if c.hooks]):
        try:
            if (process / "ns/net").stat().st_ino != own:
                found.append(process)
        except OSError:  # it has ended, or may not be looked at
            continue
    named = tuple(f"{_name(p)} {p.name}" for p in found[:MOST_NAMED])
    return Scope(len(found), named, marking and kernel_version() < PACKET_COOKIE_SINCE)


def _processes(cgroups: Cgroups, paths: list[str]) -> Iterator[Path]:
    """Those in the cgroups of these paths and below, each once."""
    seen: set[str] = set()
    for path in paths:
        directory = cgroups.hierarchy.directory(below(cgroups.attached.path, path))
        for folder, _, _ in os.walk(directory) if directory else ():
            try:
                ids = Path(folder, "cgroup.procs").read_text(encoding="ascii").split()
            except OSError:  # gone, or a threaded cgroup
                continue
            for number in ids:
                if number not in seen and number != "0":  # 0: of another PID namespace
                    seen.add(number)
                    yield Path("/proc", number)
                if len(seen) >= MOST_PROCESSES:
                    return


def _name(process: Path) -> str:
    try:
        return (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return "process"

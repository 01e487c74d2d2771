"""What runs on a hook before ours, and whether packets still come to ours.

What a filter does with a packet is written in it, unless it is a program: then it shows only in that ours runs no more
while the device still sends or receives.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from ..kernel.errors import KernelError, NotFoundError
from ..kernel.hooks.base import DEVICE_POINTS, Hook, OnHook, Point
from ..kernel.hooks.choose import TC
from ..kernel.hooks.clsact import PRIORITY
from ..kernel.info import run_count
from ..kernel.pins import open_program
from ..kernel.programs import Program, counting_runs
from .paths import Paths

IDLE, LONGEST = 0.3, 1.0  # seconds that are waited, if the device moves no packet, and if it moves some
_PAUSE = 0.05
ENOUGH = 10  # packets of the device of which ours has seen none


def ahead(programs: Sequence[OnHook], kind: str) -> list[OnHook]:
    """Of what is on a hook, in the order it runs, that which runs before ours of an attach kind, there or to come."""
    found = []
    for other in programs:
        if other.ours and other.kind == kind:
            break
        if TC.index(other.kind) > TC.index(kind) or (other.kind == "clsact" and other.priority > PRIORITY):
            break
        if not other.ours:
            found.append(other)
    return found


def endings(on: str, hook: Hook, programs: Sequence[OnHook], kind: str) -> list[str]:
    """A sentence for each filter before ours that ends the chain for what it matches."""
    if hook.point not in DEVICE_POINTS:
        return []
    where = f"{on} {hook.point.word}"
    return [
        f"{where}: filter {other.place} runs before ours and ends the chain: {other.ends}"
        for other in ahead(programs, kind)
        if other.ends
    ]


@dataclass(frozen=True)
class Passed:
    """A hook on which the device has moved packets and our program has seen none of them."""

    hook: Hook
    packets: int
    by: tuple[OnHook, ...]  # the programs before ours


def passed_by(hooks: Mapping[Hook, tuple[str, str, int, Sequence[OnHook]]], paths: Paths) -> list[Passed]:
    """Look for a moment at the hooks with somebody's program before ours: device, attach kind, our program's id, and
    what is on the hook.

    An idle device proves nothing. Without CAP_SYS_ADMIN runs are not counted, and nothing is found.
    """
    suspects = {
        hook: (device, number, tuple(o for o in ahead(programs, kind) if o.program_id))
        for hook, (device, kind, number, programs) in hooks.items()
        if hook.point in DEVICE_POINTS
    }
    suspects = {hook: found for hook, found in suspects.items() if found[2]}
    if not suspects:
        return []
    with ExitStack() as stack:
        try:
            stack.enter_context(counting_runs())
        except KernelError:
            return []
        ours: dict[Hook, Program] = {}
        for hook, (_, number, _) in suspects.items():
            with suppress(NotFoundError):
                ours[hook] = stack.enter_context(_program(paths, number))
        before = {hook: (run_count(p.fd), _moved(suspects[hook][0], hook.point)) for hook, p in ours.items()}
        waiting, moved, begun = set(ours), dict.fromkeys(ours, 0), time.monotonic()
        while waiting and time.monotonic() - begun < LONGEST:
            time.sleep(_PAUSE)
            moved = {hook: _moved(suspects[hook][0], hook.point) - before[hook][1] for hook in waiting}
            waiting = {hook for hook in waiting if run_count(ours[hook].fd) == before[hook][0]}
            if time.monotonic() - begun > IDLE and all(not 0 < moved[hook] < ENOUGH for hook in waiting):
                break
        return [Passed(h, moved[h], suspects[h][2]) for h in sorted(waiting) if moved[h] >= ENOUGH]


def _program(paths: Paths, number: int) -> Program:
    try:
        return open_program(paths.programs / str(number))
    except NotFoundError:
        return Program.by_id(number)


def _moved(device: str, point: Point) -> int:
    """The packets that a device has sent, or received, behind or before the hook; 0 if it is gone."""
    column = 9 if point is Point.EGRESS else 1
    for line in Path("/proc/thread-self/net/dev").read_text(encoding="ascii").splitlines():
        name, _, numbers = line.partition(":")
        if name.strip() == device:
            return int(numbers.split()[column - 1])
    return 0

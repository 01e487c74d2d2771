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

from ...common.record import Record
from ..kernel.errors import KernelError, NotFoundError
from ..kernel.hooks.base import DEVICE_POINTS, Hook, OnHook, Point
from ..kernel.hooks.choose import TC
from ..kernel.hooks.clsact import PRIORITY
from ..kernel.info import run_count
from ..kernel.pins import open_program
from ..kernel.programs import Program, counting_runs
from .paths import Paths

IDLE, LONGEST = 0.3, 1.5  # seconds that are waited, if the device moves no packet, and if it moves some
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


class Passed(Record):
    """A hook on which the device has moved packets and our program has seen none of them."""

    hook: Hook
    packets: int
    by: tuple[OnHook, ...]  # the programs before ours


@dataclass
class Look:
    """How long a hook's device moves packets without a run of ours.

    It begins again after each run: one ARP or IPv6 packet that the others let by says nothing of the rest. The reading
    after a run is where it begins, since a NIC counts a packet only when it has sent it. `ran` and `moved` are of ours
    and of the device from the first reading on.
    """

    runs: int
    packets: int
    ran: int = 0
    moved: int = 0
    begun: float | None = None  # seconds of the monotonic clock
    unseen: int = 0

    def read(self, runs: int, packets: int, now: float) -> None:
        """Take what is counted now."""
        self.moved += packets - self.packets
        if runs != self.runs:
            self.ran += runs - self.runs
            self.begun, self.unseen = None, 0
        elif self.begun is None:
            self.begun, self.unseen = now, 0
        else:
            self.unseen += packets - self.packets
        self.runs, self.packets = runs, packets

    def passed(self, now: float) -> bool:
        """Whether the device has moved packets for long enough, and ours has seen none of them."""
        return self.begun is not None and now - self.begun >= IDLE and self.unseen >= ENOUGH

    def sees(self) -> bool:
        """Whether ours runs often enough, or for the most of what the device moves."""
        return self.ran >= ENOUGH or 0 < self.moved <= 2 * self.ran


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
        looks = {hook: Look(run_count(p.fd), _moved(suspects[hook][0], hook.point)) for hook, p in ours.items()}
        found: list[Passed] = []
        waiting, begun = set(ours), time.monotonic()
        while waiting and time.monotonic() - begun < LONGEST:
            time.sleep(_PAUSE)
            for hook in sorted(waiting):
                look = looks[hook]
                packets = _moved(suspects[hook][0], hook.point)  # first: a packet between the two is one that ours saw
                look.read(run_count(ours[hook].fd), packets, now := time.monotonic())
                if look.passed(now):
                    found.append(Passed(hook, look.unseen, suspects[hook][2]))
                elif not look.sees() and (look.moved or now - begun <= IDLE):
                    continue
                waiting.remove(hook)
        return sorted(found, key=lambda passed: passed.hook)


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

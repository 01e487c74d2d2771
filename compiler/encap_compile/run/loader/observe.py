"""What is in force, asked from the kernel: hook -> program -> maps -> host values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...common.record import Record
from ..kernel.errors import KernelError, NotFoundError
from ..kernel.hooks.base import Hook, OnHook, Owner
from ..kernel.hooks.choose import KINDS
from ..kernel.pins import open_map, pins_in
from .layout_ids import HASH_LENGTH
from .paths import Paths
from .program_pins import describe, host_values
from .state import State, from_another_namespace
from .state_files import Unreadable, look

_PIN = re.compile(rf"(?P<map>\w+)-(?P<layout>[0-9a-f]{{{HASH_LENGTH}}})-(?P<id>\d+)")


class Running(Record):
    """A program of ours on a hook. `host` is its `struct host`, empty if it has none; `load_time` in ns since boot."""

    hook: Hook
    kind: str
    program_id: int
    name: str
    load_time: int
    map_ids: tuple[int, ...]
    host: bytes


class PinnedMap(Record):
    """A pinned map. The number in its name is the kernel's id of it, which never returns."""

    path: Path
    map: str
    layout: str
    id: int


@dataclass
class Observed:
    """`hooks` holds all programs of the hooks that were asked for and of those with ours on them."""

    state: State | None
    running: list[Running] = field(default_factory=list)
    stale: list[tuple[str, Hook]] = field(default_factory=list)  # attach kind and hook: ours by name, but on nothing
    hooks: dict[Hook, list[OnHook]] = field(default_factory=dict)
    pins: list[PinnedMap] = field(default_factory=list)
    beside: bool = False  # the first release has run since, and left what it pinned beside what is ours
    former_left: bool = False  # something of the bundle that is replaced is still there
    unreadable: Unreadable | None = None  # a state that is there and says nothing: not the same as none

    def in_force(self, name: str, layout: str) -> PinnedMap | None:
        """The pinned map of that layout, first the one that running programs use."""
        used = {number for r in self.running for number in r.map_ids}
        candidates = [p for p in self.pins if (p.map, p.layout) == (name, layout)]
        return max(candidates, key=lambda p: (p.id in used, p.id), default=None)

    @property
    def empty(self) -> bool:
        """Nothing of this bundle is on the machine."""
        return not (self.running or self.stale or self.pins or self.state or self.unreadable)


def observe(paths: Paths, hooks: Iterable[Hook] = ()) -> Observed:
    """Look at the kernel. `hooks` are looked at even if nothing of ours is on them. Raises KernelError.

    What a bundle runs that is being replaced is taken for ours, and listed before what is our own.
    """
    state, unread = _states(paths)
    beside = paths.left_beside() is not None
    found = Observed(state, pins=list(_pinned(paths.maps)), unreadable=unread, beside=beside)
    if from_another_namespace(found.state):
        found = Observed(None, beside=beside)
    attached = {o.bundle: {(k.name, hook) for k in KINDS.values() for hook in k.attached(o)} for o in paths.owners}
    if paths.former:
        old = paths.named(paths.former)
        theirs = list(_pinned(old.maps))
        found.pins += theirs
        # An apply that was killed right before it had done so leaves empty folders.
        found.former_left = bool(theirs or attached[paths.former] or old.pins.exists() or old.state.exists())
    places = [paths, *([paths.named(paths.former)] if paths.former else ())]
    ours = set[tuple[str, Hook]]().union(*attached.values())
    for hook in sorted({h for _, h in ours} | set(hooks)):
        found.hooks[hook] = []
        for kind in (k for k in KINDS.values() if hook.point in k.points):  # in the order they run
            seen = [_programs(kind.name, owner, hook) for owner in paths.owners]
            mine = [p for programs in seen for p in programs if p.ours]
            found.hooks[hook] += [replace(p, ours=p in mine or replace(p, ours=True) in mine) for p in seen[-1]]
            found.running += [r for p in mine if (r := _running(p, hook, places)) is not None]
            if (kind.name, hook) in ours and not mine:
                found.stale.append((kind.name, hook))
    return found


def state_of(paths: Paths) -> State | None:
    """What was applied; of a bundle that replaces another and has not run, what was applied of that one.

    Where both ran, their counters are added up.
    """
    return _states(paths)[0]


def _states(paths: Paths) -> tuple[State | None, Unreadable | None]:
    """The same, and what cannot be read of it."""
    found = [look(paths.state), look(paths.named(paths.former).state) if paths.former else None]
    unread = next((each for each in found if isinstance(each, Unreadable)), None)
    own, former = (None if isinstance(each, Unreadable) else each for each in found)
    return both(own, former), unread


def both(own: State | None, former: State | None) -> State | None:
    """The state of a bundle that goes on with what another state is of. Maps are known by their numbers in the kernel,
    so nothing is counted twice."""
    if former is None or from_another_namespace(former):
        return own
    if own is None or from_another_namespace(own):
        return former
    base = own if own.manifest is not None else former
    return replace(
        base,
        counter_layouts={**former.counter_layouts, **own.counter_layouts},
        carried={**former.carried, **own.carried},
        replaces=own.replaces,
    )


def _programs(kind: str, owner: Owner, hook: Hook) -> list[OnHook]:
    try:
        return KINDS[kind].programs(owner, hook)
    except KernelError as error:
        if error.errno in (2, 19):  # ENOENT, ENODEV: the device is gone
            return []
        raise


def _running(program: OnHook, hook: Hook, places: Sequence[Paths]) -> Running | None:
    info = describe(program.program_id, places)
    if info is None:
        return None
    host = host_values(info, places)
    return Running(hook, program.kind, info.id, info.name or program.name, info.load_time, info.map_ids, host)


def _pinned(directory: Path) -> Iterable[PinnedMap]:
    for path in pins_in(directory):
        match = _PIN.fullmatch(path.name)
        if match is None:
            continue
        with suppress(NotFoundError), open_map(path) as pinned:  # an apply may be dropping it just now
            yield PinnedMap(path, match["map"], match["layout"], pinned.info.id)

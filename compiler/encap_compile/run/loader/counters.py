"""Counters by name, over every map that still counts and those that are gone."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping

from ...common.manifest import Counter
from ..kernel.errors import KernelError
from ..kernel.maps import Map
from ..kernel.pins import open_map
from .layout_ids import COUNTERS
from .observe import Observed, PinnedMap
from .state import Totals

_KEY = struct.Struct("=I")
_PAIR = struct.Struct("=QQ")  # packets, bytes


def read(counters: Map, layout: Mapping[str, int]) -> Totals:
    """The sum over all CPUs of each counter; `layout` has its offset in bytes, over all entries. Raises KernelError."""
    size = (counters.info.value_size + 7) // 8 * 8  # of a CPU, in what the kernel hands out
    entries: dict[int, list[tuple[str, int]]] = {}
    for name, offset in layout.items():
        entry, within = divmod(offset, counters.info.value_size)
        if entry < counters.info.max_entries and within + _PAIR.size <= counters.info.value_size:
            entries.setdefault(entry, []).append((name, within))  # what is not in it is a layout of another map
    totals = {}
    for entry, found in entries.items():
        raw = counters.lookup(_KEY.pack(entry))
        for name, within in found:
            pairs = [_PAIR.unpack_from(raw, at + within) for at in range(0, len(raw), size)]
            totals[name] = (sum(p for p, _ in pairs), sum(b for _, b in pairs))
    return totals


def read_pinned(pinned: PinnedMap, layouts: Mapping[str, Mapping[str, int]]) -> Totals:
    """The totals of one pinned counters map; nothing if its layout is not known. Raises KernelError."""
    layout = layouts.get(pinned.layout)
    if layout is None:
        return {}
    with open_map(pinned.path) as counters:
        return read(counters, layout)


def totals(observed: Observed) -> Totals:
    """All counters since the first apply: what pinned maps count now, and what others had counted."""
    if observed.state is None:
        return {}
    parts: dict[str, Totals] = dict(observed.state.carried)
    for pinned in observed.pins:
        if pinned.map == COUNTERS:
            try:
                parts[str(pinned.id)] = read_pinned(pinned, observed.state.counter_layouts)
            except KernelError:
                continue  # unpinned by an apply that runs right now: its carried totals take over
    return add(parts.values())


def total(totals: Totals, counter: Counter) -> tuple[int, int]:
    """Packets and bytes of a counter, with what was counted under the names that it had before."""
    counted = [totals[name] for name in names(counter) if name in totals]
    return sum(packets for packets, _ in counted), sum(size for _, size in counted)


def names(counter: Counter) -> tuple[str, ...]:
    """The name of a counter, that in the first release, and other names that it had before."""
    return (counter.name, *([counter.formerly] if counter.formerly else []), *counter.was)


def renamed(totals: Totals, counters: Iterable[Counter]) -> Totals:
    """Totals of renamed counters under their new names: the old ones are free again, `was` may be left out later."""
    now = {former: counter.name for counter in counters for former in counter.was}
    return add({now.get(name, name): counted} for name, counted in totals.items())


def add(parts: Iterable[Totals]) -> Totals:
    """Sum totals by counter name."""
    summed: Totals = {}
    for part in parts:
        for name, (packets, size) in part.items():
            before = summed.get(name, (0, 0))
            summed[name] = (before[0] + packets, before[1] + size)
    return summed

"""Where each counter stands: a place in `struct counters`, and in the map's values.

What the C library counts by itself stands in structs of the library, which are the same in all programs (`LIBRARY`). A
program may have a use for some of their members only; the others have no name outside, and stay zero.

One value of the map holds about 2000 counters. A program with more has a map of several entries, whose values lie one
behind the other in `struct counters`. No counter crosses from one to the next, since its size divides that of a value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ...common.manifest_bounds import COUNTER as SIZE
from ...common.manifest_bounds import MOST_COUNTERS
from .. import ir

ENTRY = 4096  # bytes of a value where there are several: a page, which the kernel finds more easily than many
LIBRARY = {
    # encap_counters.h
    "egress_outcomes": (
        "other", "malformed", "no_first_fragment", "own_stack", "link_local", "too_big", "without_df",
        "answered", "answers_limited", "gso", "gso_checksum", "gso_jumbo", "no_headroom", "unknown_stack", "mss_kept",
        "next_hop_fallback", "path_too_small", "unrouted", "route_loop",
    ),
    "ingress_outcomes": ("mss_kept", "path_learned", "path_ignored", "injected"),
    "refusals": (
        "truncated", "options", "fragment", "version", "header_checksum", "length", "vlan", "payload", "source",
        "match", "ecn", "gso", "pull_failed",
    ),
    "flow_outcomes": ("learned", "changed", "disbelieved", "evicted"),
}  # fmt: skip


class CounterLayout(NamedTuple):
    """The counters and their places, the members of `struct counters`, and the map: its entries, and bytes of each."""

    counters: tuple[ir.CounterMember, ...]
    slots: tuple[ir.CounterSlot, ...]
    size: int
    entries: int


def lay_out(counters: Sequence[ir.CounterMember]) -> CounterLayout:
    """Place each counter in `struct counters`; a struct of the library stands where its first counter would.

    In a map of several entries, those that the library reaches by a pointer to the first one stand before the others.
    """
    found = placed(counters)
    if found.size <= MOST_COUNTERS:
        return found
    found = placed(sorted(counters, key=lambda c: not _of_the_library(c.counts)))
    return found._replace(size=ENTRY, entries=-(-found.size // ENTRY))


def _of_the_library(counts: ir.Counted) -> bool:
    return not counts.rule and not counts.encapsulation


def placed(counters: Sequence[ir.CounterMember]) -> CounterLayout:
    """The counters in one value, in the order given."""
    slots: dict[str, ir.CounterSlot] = {}
    offsets: dict[str, int] = {}
    size = 0
    found = []
    for counter in counters:
        slot, _, within = counter.member.partition(".")
        type_ = _struct(slot) if within else "counter"
        if slot not in slots:
            where = f" ({counter.place})" if counter.place else ""
            slots[slot] = ir.CounterSlot(type_, slot, "" if within else f"{counter.text}{where}")
            offsets[slot] = size
            size += SIZE * (len(LIBRARY[type_]) if within else 1)
        position = LIBRARY[type_].index(within) if within else 0
        found.append(counter._replace(offset=offsets[slot] + SIZE * position))
    return CounterLayout(tuple(found), tuple(slots.values()), size, 1)


def _struct(slot: str) -> str:
    """Which struct of the library a member of `struct counters` is."""
    return {"egress": "egress_outcomes", "ingress": "ingress_outcomes", "flows": "flow_outcomes"}.get(slot, "refusals")

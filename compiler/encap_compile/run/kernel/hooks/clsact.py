"""clsact (Linux 4.5): a direct-action filter of the cls_bpf classifier, replaced by one RTM_NEWTFILTER.

The filter holds the program. Its priority is the same for all of our bundles and is ours alone by convention;
its handle is the bundle's. Filters of lower priority numbers run first.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from ....common.fnv import fnv1a
from ....common.folders import PUBLIC_FILE, create_file
from ..errors import KernelError, kernel_error
from ..filters import Filter, clsact_qdisc, filters_on, has_filters
from ..uapi import ETH_P_ALL, TC_CLSACT_EGRESS, TC_CLSACT_INGRESS
from .base import DEVICE_POINTS, Hook, OnHook, Owner, Point

PRIORITY = 49000  # behind agents that choose small numbers, before none that is known
_PREFIX = "encap:"  # of our filters' names
_MARK = "clsact_"  # in the machine's state: a qdisc that we added, by the device's ifindex
_PARENTS = {Point.INGRESS: TC_CLSACT_INGRESS, Point.EGRESS: TC_CLSACT_EGRESS}


class Clsact:
    """See `AttachKind`."""

    name = "clsact"
    points = DEVICE_POINTS

    def programs(self, owner: Owner, hook: Hook) -> list[OnHook]:
        return [
            OnHook(
                self.name, f.program_id, f.name or f.kind, _is_ours(f, owner, hook.point), f.ends, f.priority, f.place
            )
            for f in filters_on(hook.target, _PARENTS[hook.point])
        ]

    def attach(self, owner: Owner, hook: Hook, program_fd: int) -> None:
        from ..netlink import replace_filter

        self._ensure_qdisc(owner, hook.target)
        parent = _PARENTS[hook.point]
        handle = _handle(filters_on(hook.target, parent), owner, hook.point)
        replace_filter(hook.target, parent, PRIORITY, handle, program_fd, _name(owner.bundle, hook.point))

    def detach(self, owner: Owner, hook: Hook) -> None:
        from ..netlink import delete_filter

        for found in filters_on(hook.target, _PARENTS[hook.point]):
            if _is_ours(found, owner, hook.point):
                delete_filter(hook.target, found.parent, found.priority, found.handle)

    def tidy(self, owner: Owner) -> None:
        # Not in `detach`: adding or deleting the qdisc stops the device's queues for a moment (qdisc_graft calls
        # dev_deactivate), which loses packets. So it is done once, when the bundle is removed.
        from ..netlink import delete_clsact

        for mark in owner.state.glob(f"{_MARK}*"):
            ifindex = int(mark.name.removeprefix(_MARK))
            if has_filters(ifindex):
                continue  # another bundle's, or another agent's by now
            if clsact_qdisc(ifindex) == "clsact":
                delete_clsact(ifindex)
            mark.unlink(missing_ok=True)

    def attached(self, owner: Owner) -> list[Hook]:
        from ..devices import devices

        return [
            Hook(device.index, point)
            for device in devices().values()
            for point, parent in _PARENTS.items()
            for found in filters_on(device.index, parent)
            if _is_ours(found, owner, point)
        ]

    def _ensure_qdisc(self, owner: Owner, ifindex: int) -> None:
        from ..netlink import add_clsact

        if clsact_qdisc(ifindex) == "clsact":
            return
        # The mark comes first: killed in between, a later `remove` still knows that the qdisc is ours to delete.
        mark = _mark(owner, ifindex)
        create_file(mark, b"", PUBLIC_FILE)
        try:
            add_clsact(ifindex)
        except KernelError:
            mark.unlink(missing_ok=True)
            if clsact_qdisc(ifindex) != "clsact":  # another agent may just have added it
                raise


def handle_of(bundle: str) -> int:
    """The filter's handle: FNV-1a of the bundle's name, 31 bits, never 0."""
    return fnv1a(bundle) & 0x7FFFFFFF or 1


def bundles_on(ifindex: int) -> set[str]:
    """The names of the bundles that have a filter on a device. Raises KernelError."""
    names = (f.name for parent in _PARENTS.values() for f in filters_on(ifindex, parent) if f.kind == "bpf")
    return {name.split(":")[1] for name in names if name.startswith(_PREFIX) and name.count(":") == 2}


def _handle(filters: Sequence[Filter], owner: Owner, point: Point) -> int:
    """The handle of our filter that is there, else of the replaced bundle's, else a free one. Raises KernelError."""
    for bundle in (owner.bundle, owner.former):
        existing = next((f.handle for f in filters if _is_of(f, bundle, point)), 0)
        if existing:
            return existing
    handle = handle_of(owner.bundle)
    here = [f for f in filters if f.priority == PRIORITY]
    for other in here:
        # A bundle that was replaced leaves its handle to its successor.
        taken = other.handle == handle and not other.name.startswith(_PREFIX)
        if taken or other.kind != "bpf":
            raise kernel_error(17, f"filter priority {PRIORITY} handle {handle:#x} is {other.name or other.kind}'s")
    used = {f.handle for f in here}
    return next(n for n in chain(range(handle, 1 << 31), range(1, handle)) if n not in used)


def _name(bundle: str, point: Point) -> str:
    return f"{_PREFIX}{bundle}:{point.word}"


def _is_of(found: Filter, bundle: str, point: Point) -> bool:
    return found.kind == "bpf" and found.name == _name(bundle, point) and found.protocol == ETH_P_ALL


def _is_ours(found: Filter, owner: Owner, point: Point) -> bool:
    return _is_of(found, owner.bundle, point) or (bool(owner.former) and _is_of(found, owner.former, point))


def _mark(owner: Owner, ifindex: int) -> Path:
    return owner.state / f"{_MARK}{ifindex}"

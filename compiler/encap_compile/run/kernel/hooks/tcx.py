"""TCX (Linux 6.6): the program is held by a link, the link by a pin; replaced by BPF_LINK_UPDATE."""

from __future__ import annotations

from ..errors import KernelError
from ..links import Link, programs_on
from ..uapi import BPF_TCX_EGRESS, BPF_TCX_INGRESS
from .base import DEVICE_POINTS, Hook, OnHook, Owner, Point
from .pinned import detach, keep, listed, live_link, pinned_hooks

_TYPES = {Point.INGRESS: BPF_TCX_INGRESS, Point.EGRESS: BPF_TCX_EGRESS}


class Tcx:
    """See `AttachKind`."""

    name = "tcx"
    points = DEVICE_POINTS

    def programs(self, owner: Owner, hook: Hook) -> list[OnHook]:
        try:
            ids = programs_on(hook.target, _TYPES[hook.point])
        except KernelError as error:
            if error.errno == 22:  # EINVAL: before 6.6
                return []
            raise
        return listed(self.name, owner, hook, ids)

    def attach(self, owner: Owner, hook: Hook, program_fd: int) -> None:
        link = live_link(owner, hook)
        if link is not None:
            with link:
                link.update(program_fd)
            return
        with Link.create(program_fd, hook.target, _TYPES[hook.point]) as link:
            keep(owner, hook, link)

    def detach(self, owner: Owner, hook: Hook) -> None:
        detach(owner, hook)

    def tidy(self, owner: Owner) -> None:
        return

    def attached(self, owner: Owner) -> list[Hook]:
        return pinned_hooks(owner, self.points)

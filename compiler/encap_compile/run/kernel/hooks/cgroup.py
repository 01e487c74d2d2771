"""Hooks of cgroups (Linux 5.7 for links): the program is held by a link, the link by a pin.

They run for sockets that were created in the cgroup or below it. Programs of a cgroup run
before those of the cgroups that it lies within. A link whose cgroup is deleted does nothing any more; it stays on as
long as there are sockets of that cgroup, but nothing leads to that cgroup.
"""

from __future__ import annotations

from ..cgroups import opened
from ..errors import NotFoundError
from ..links import Link, programs_on
from ..uapi import (
    BPF_CGROUP_GETSOCKOPT,
    BPF_CGROUP_INET4_CONNECT,
    BPF_CGROUP_INET6_CONNECT,
    BPF_CGROUP_INET_EGRESS,
    BPF_CGROUP_INET_INGRESS,
    BPF_CGROUP_INET_SOCK_CREATE,
    BPF_CGROUP_SETSOCKOPT,
)
from .base import CGROUP_POINTS, Hook, OnHook, Owner, Point
from .pinned import detach, keep, listed, live_link, pinned_hooks

_TYPES = {
    Point.LISTEN: BPF_CGROUP_INET_INGRESS,
    Point.CREATE: BPF_CGROUP_INET_SOCK_CREATE,
    Point.UNATTACHED: BPF_CGROUP_INET_EGRESS,
    Point.GETSOCKOPT: BPF_CGROUP_GETSOCKOPT,
    Point.SETSOCKOPT: BPF_CGROUP_SETSOCKOPT,
    Point.CONNECT4: BPF_CGROUP_INET4_CONNECT,
    Point.CONNECT6: BPF_CGROUP_INET6_CONNECT,
}


class Cgroup:
    """See `AttachKind`."""

    name = "cgroup"
    points = CGROUP_POINTS

    def programs(self, owner: Owner, hook: Hook) -> list[OnHook]:
        try:
            with opened(hook.target) as directory:
                ids = programs_on(directory.fd, _TYPES[hook.point])
        except NotFoundError:
            return []
        return listed(self.name, owner, hook, ids)

    def attach(self, owner: Owner, hook: Hook, program_fd: int) -> None:
        with opened(hook.target) as directory:  # a link of a cgroup that is gone can be updated, to no effect
            link = live_link(owner, hook)
            if link is not None:
                with link:
                    link.update(program_fd)
                return
            with Link.create(program_fd, directory.fd, _TYPES[hook.point]) as link:
                keep(owner, hook, link)

    def detach(self, owner: Owner, hook: Hook) -> None:
        detach(owner, hook)

    def tidy(self, owner: Owner) -> None:
        return

    def attached(self, owner: Owner) -> list[Hook]:
        return pinned_hooks(owner, self.points)

"""Changing by rtnetlink, all of it by pyroute2, which is imported at the first change (see `run.kernel.rtnetlink`).

Here is what traffic control needs: the clsact qdisc and its BPF filters.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .errors import kernel_error
from .uapi import ETH_P_ALL

_TRAFFIC_CONTROL = "RTM_NEWTFILTER, RTM_NEWQDISC or their opposites"


@contextmanager
def changing(what: str) -> Iterator[Any]:
    """An `IPRoute` of pyroute2, in this thread's network namespace. Raises KernelError; `what` names the messages."""
    from pyroute2 import IPRoute
    from pyroute2.netlink.exceptions import NetlinkError

    with IPRoute() as route:
        try:
            yield route
        except NetlinkError as error:
            raise kernel_error(error.code, what) from None


def add_clsact(ifindex: int) -> None:
    """Raises KernelError; EEXIST when a clsact or ingress qdisc is there."""
    with changing(_TRAFFIC_CONTROL) as route:
        route.tc("add", "clsact", index=ifindex)


def delete_clsact(ifindex: int) -> None:
    """Raises KernelError."""
    with changing(_TRAFFIC_CONTROL) as route:
        route.tc("del", "clsact", index=ifindex)


def replace_filter(ifindex: int, parent: int, priority: int, handle: int, program_fd: int, name: str) -> None:
    """Add a direct-action BPF filter, or put another program into the one with this handle, in one step.

    `parent` is TC_CLSACT_INGRESS or TC_CLSACT_EGRESS. Raises KernelError.
    """
    with changing(_TRAFFIC_CONTROL) as route:
        route.tc(
            "replace-filter",
            "bpf",
            index=ifindex,
            handle=handle,
            parent=parent,
            prio=priority,
            protocol=ETH_P_ALL,
            fd=program_fd,
            name=name,
            direct_action=True,
        )


def delete_filter(ifindex: int, parent: int, priority: int, handle: int) -> None:
    """Raises KernelError."""
    with changing(_TRAFFIC_CONTROL) as route:
        route.tc("del-filter", "bpf", index=ifindex, handle=handle, parent=parent, prio=priority, protocol=ETH_P_ALL)

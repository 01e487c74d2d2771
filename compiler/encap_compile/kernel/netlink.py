"""Changing traffic control: the clsact qdisc and its BPF filters, by pyroute2 (imported when first used)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .constants import ETH_P_ALL
from .errors import kernel_error


@contextmanager
def _traffic_control() -> Iterator[Any]:
    from pyroute2 import IPRoute
    from pyroute2.netlink.exceptions import NetlinkError

    with IPRoute() as route:
        try:
            yield route.tc
        except NetlinkError as error:
            raise kernel_error(error.code, "RTM_NEWTFILTER, RTM_NEWQDISC or their opposites") from None


def add_clsact(ifindex: int) -> None:
    """Raises KernelError; EEXIST when a clsact or ingress qdisc is there."""
    with _traffic_control() as tc:
        tc("add", "clsact", index=ifindex)


def delete_clsact(ifindex: int) -> None:
    """Raises KernelError."""
    with _traffic_control() as tc:
        tc("del", "clsact", index=ifindex)


def replace_filter(ifindex: int, parent: int, priority: int, handle: int, program_fd: int, name: str) -> None:
    """Add a direct-action BPF filter, or put another program into the one with this handle, in one step.

    `parent` is TC_CLSACT_INGRESS or TC_CLSACT_EGRESS. Raises KernelError.
    """
    with _traffic_control() as tc:
        tc(
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
    with _traffic_control() as tc:
        tc("del-filter", "bpf", index=ifindex, handle=handle, parent=parent, prio=priority, protocol=ETH_P_ALL)

"""What no program can do on today's kernels: such a cell may fail, and the document says why."""

from __future__ import annotations

from .cells import IN_UDP, KINDS, Cell, one_way

STALE_TUNNEL_BIT = (
    "a UDP_SEGMENT GSO packet that arrives whole in a UDP tunnel: removing the headers leaves the tunnel's GSO bit "
    "on the packet, and from 6.1 on the receiving socket's kernel cannot split it. It needs an unsegmented path from "
    "the sender, as between namespaces of one host"
)


def known() -> dict[Cell, str]:
    """The cells that a kernel's own limit may fail, with the limit."""
    return {
        cell: STALE_TUNNEL_BIT
        for kind in KINDS
        if kind.encapsulation in IN_UDP
        for inner in kind.inner
        for cell in one_way(kind, inner, "in", "hardware")
        if cell.check.startswith("UDP_SEGMENT")
    }

"""The neighbour tables, ARP's and neighbour discovery's: which MAC address a next hop has (RTM_GETNEIGH)."""

from __future__ import annotations

import struct
from ipaddress import ip_address

from .routes import IPAddress
from .rtnetlink import RTM_GETNEIGH, RouteSocket, attributes

_NDMSG = struct.Struct("=BxxxiHBB")  # struct ndmsg: family, ifindex, state, flags, type
_NDA_DST, _NDA_LLADDR = 1, 2
_NUD_INCOMPLETE, _NUD_FAILED = 0x01, 0x20  # include/uapi/linux/neighbour.h

Neighbours = dict[tuple[int, IPAddress], bytes]  # ifindex and next hop -> MAC address


def neighbours() -> Neighbours:
    """Every neighbour that has answered, or that somebody entered. Raises KernelError."""
    found: Neighbours = {}
    with RouteSocket() as route:
        for payload in route.dump(RTM_GETNEIGH, _NDMSG.pack(0, 0, 0, 0, 0)):
            _, ifindex, state, _, _ = _NDMSG.unpack_from(payload)
            more = attributes(payload[_NDMSG.size :])
            raw, mac = more.get(_NDA_DST, b""), more.get(_NDA_LLADDR, b"")
            if len(mac) == 6 and len(raw) in (4, 16) and not state & (_NUD_INCOMPLETE | _NUD_FAILED):
                found[ifindex, ip_address(raw)] = mac
    return found

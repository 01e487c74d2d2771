"""Devices above others: whose packets go out through the devices below them."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple

from .rtnetlink import RTM_GETLINK, RouteSocket, attributes, text

_IFINFO = struct.Struct("=BxHiII")  # struct ifinfomsg: family, type, index, flags, change
_IFLA_LINK, _IFLA_MASTER, _IFLA_LINKINFO, _IFLA_INFO_KIND = 5, 10, 18, 1
_ABOVE_ONE = frozenset({"vlan", "macvlan", "ipvlan"})  # IFLA_LINK is the device below; of veth it is the peer
_ABOVE_MANY = frozenset({"bond", "team", "bridge"})  # IFLA_MASTER of those below


class Link(NamedTuple):
    """A device: its kind as `ip -d link` shows it, and the ifindexes of what it is above of and of what is above it."""

    kind: str
    below: int
    master: int


def links() -> dict[int, Link]:
    """Every device of this network namespace, by its ifindex. Raises KernelError."""
    found = {}
    with RouteSocket() as route:
        for payload in route.dump(RTM_GETLINK, _IFINFO.pack(0, 0, 0, 0, 0)):
            _, _, index, _, _ = _IFINFO.unpack_from(payload)
            more = attributes(payload[_IFINFO.size :])
            kind = text(attributes(more.get(_IFLA_LINKINFO, b"")).get(_IFLA_INFO_KIND, b""))
            found[index] = Link(kind, _number(more.get(_IFLA_LINK)), _number(more.get(_IFLA_MASTER)))
    return found


def passing_through(attached: Iterable[int], known: dict[int, Link] | None = None) -> list[int]:
    """The ifindexes of `attached` devices, and of all whose packets go out through them alone, in ascending order.

    A VLAN goes through the device below it, a bond through its members. Raises KernelError.
    """
    known = links() if known is None else known
    found = set(attached)
    members: dict[int, set[int]] = {}
    for index, link in known.items():
        if link.master:
            members.setdefault(link.master, set()).add(index)
    while True:
        above = {
            index
            for index, link in known.items()
            if index not in found
            and (
                (link.kind in _ABOVE_ONE and link.below in found)
                or (link.kind in _ABOVE_MANY and index in members and members[index] <= found)
            )
        }
        if not above:
            return sorted(found)
        found |= above


def _number(value: bytes | None) -> int:
    return int(struct.unpack("=I", value)[0]) if value and len(value) == 4 else 0

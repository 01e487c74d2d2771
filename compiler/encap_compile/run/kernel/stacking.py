"""Devices above others: whose packets go out through the devices below them."""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterable
from typing import NamedTuple

from .rtnetlink import RTM_GETLINK, RouteSocket, attributes, text

_IFINFO = struct.Struct("=BxHiII")  # struct ifinfomsg: family, type, index, flags, change
_IFLA_LINK, _IFLA_MASTER, _IFLA_LINKINFO, _IFLA_LINK_NETNSID = 5, 10, 18, 37
_IFLA_INFO_KIND, _IFLA_INFO_DATA = 1, 2
_ABOVE_ONE = frozenset({"vlan", "macvlan", "ipvlan"})  # IFLA_LINK is the device below; of veth it is the peer
_ABOVE_MANY = frozenset({"bond", "team", "bridge"})  # IFLA_MASTER of those below
# What says how a device hands on its packets: the attribute, and the values with which all go to the device below.
# macvlan: every mode but bridge (4), in which one device's packets go to another past the device below. ipvlan: the
# flags private (1) and vepa (2). VLAN: reorder_hdr (1), without which the tag is within the frame there.
_MODES = {"macvlan": (1, 0xFFFFFFFF & ~4), "ipvlan": (2, 3), "vlan": (2, 1)}


class Link(NamedTuple):
    """A device: its kind as `ip -d link` shows it, and the ifindexes of what it is above of and of what is above it.

    `below` is 0 where that device is in another network namespace, or does not get all packets as they are.
    """

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
            info = attributes(more.get(_IFLA_LINKINFO, b""))
            kind = text(info.get(_IFLA_INFO_KIND, b""))
            here = _IFLA_LINK_NETNSID not in more and hands_down(kind, info.get(_IFLA_INFO_DATA, b""))
            found[index] = Link(kind, _number(more.get(_IFLA_LINK)) if here else 0, _number(more.get(_IFLA_MASTER)))
    return found


def hands_down(kind: str, data: bytes) -> bool:
    """Whether a device gives all its packets to the one below, by its kind and its IFLA_INFO_DATA."""
    attribute, values = _MODES.get(kind, (0, 0))
    if not attribute:
        return True
    value = attributes(data).get(attribute, b"")
    return bool(int.from_bytes(value[:4], sys.byteorder) & values)


def passing_through(attached: Iterable[int], known: dict[int, Link] | None = None) -> list[int]:
    """The ifindexes of `attached` devices, and of all whose packets go out through them alone, in ascending order.

    A VLAN goes through the device below it, a bond through its members. One VLAN's tag is beside the packet there, but
    that of a VLAN above another is within the frame, which programs do not look into. Raises KernelError.
    """
    known = links() if known is None else known
    found = set(attached)
    tagged: set[int] = set()  # those whose packets get a tag on their way
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
                (link.kind in _ABOVE_ONE and link.below in found and not (link.kind == "vlan" and link.below in tagged))
                or (link.kind in _ABOVE_MANY and index in members and members[index] <= found)
            )
        }
        if not above:
            return sorted(found)
        found |= above
        tagged |= {
            index
            for index in above
            if known[index].kind == "vlan" or tagged & {known[index].below, *members.get(index, ())}
        }


def _number(value: bytes | None) -> int:
    return int(struct.unpack("=I", value)[0]) if value and len(value) == 4 else 0

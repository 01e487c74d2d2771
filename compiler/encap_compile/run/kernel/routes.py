"""Routes as the kernel checks them: look-ups in its tables (RTM_GETROUTE), and where in them the answer may change."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterable, Iterator
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from ...common.record import Record
from .errors import KernelError
from .rtnetlink import RTM_GETNEXTHOP, RTM_GETROUTE, RTM_GETRULE, Attributes, RouteSocket, attribute, attributes, text

_RTMSG = struct.Struct("=BBBBBBBBI")  # struct rtmsg: family, dst_len, src_len, tos, table, protocol, scope, type, flags
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_METRICS, _RTA_MULTIPATH, _RTA_VIA, _RTA_NH_ID = 1, 4, 5, 8, 9, 18, 30
_RTNEXTHOP = struct.Struct("=HBBi")  # struct rtnexthop: length, flags, weight - 1, ifindex
_RTAX_MTU = 2
_RTM_F_LOOKUP_TABLE, _RTM_F_FIB_MATCH = 0x1000, 0x2000  # 4.13: answer with the entry that matched, all hops of it
_NHMSG = struct.Struct("=BBBBI")  # struct nhmsg: family, scope, protocol, reserved, flags
_NHA_ID, _NHA_GROUP, _NHA_OIF, _NHA_GATEWAY = 1, 2, 5, 6
_NEXTHOP_GRP = struct.Struct("=IBBH")  # struct nexthop_grp: id, weight - 1, weight_high, reserved
# include/uapi/linux/fib_rules.h
_FRA_DST, _FRA_SRC, _FRA_IIFNAME, _FRA_PRIORITY, _FRA_FWMARK, _FRA_TUN_ID, _FRA_FWMASK = 1, 2, 3, 6, 10, 12, 16
_FRA_OIFNAME, _FRA_UID_RANGE, _FRA_IP_PROTO, _FRA_SPORT_RANGE, _FRA_DPORT_RANGE = 17, 20, 22, 23, 24

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network


class Kind(StrEnum):
    """What a route does with a packet. What is neither sent nor dropped is for this host (or all on the link)."""

    UNICAST = "unicast"
    LOCAL = "local"
    BROADCAST = "broadcast"
    ANYCAST = "anycast"
    MULTICAST = "multicast"
    BLACKHOLE = "blackhole"
    UNREACHABLE = "unreachable"
    PROHIBIT = "prohibit"
    NONE = "none"  # no route matches


_KINDS = {1: Kind.UNICAST, 2: Kind.LOCAL, 3: Kind.BROADCAST, 4: Kind.ANYCAST, 5: Kind.MULTICAST}
# What the kernel answers for routes that send nothing (fib_props of fib_semantics.c, fib6_reject).
_REFUSALS = {errno.EINVAL: Kind.BLACKHOLE, errno.EHOSTUNREACH: Kind.UNREACHABLE, errno.EACCES: Kind.PROHIBIT}


class Hop(Record):
    """One way out of a route: `gateway` is None where the destination is on the link."""

    ifindex: int
    gateway: IPAddress | None = None


class Route(Record):
    """The entry of a routing table that matched: its destination, its hops, and its own `mtu` in bytes, 0 if none."""

    kind: Kind
    prefix: IPNetwork | None = None
    hops: tuple[Hop, ...] = ()
    mtu: int = 0

    @property
    def own(self) -> bool:
        """For an address of this host."""
        return self.kind in (Kind.LOCAL, Kind.ANYCAST)


class RoutingRule(Record):
    """A line of `ip rule`. `selects` names what it asks of a packet other than its destination; empty: nothing."""

    priority: int
    destination: IPNetwork | None
    selects: tuple[str, ...] = ()


def lookup(destinations: Iterable[IPAddress], vrf: int = 0) -> list[Route]:
    """The route to each destination for a packet of this machine, without a source or a mark, in order.

    `vrf` is the index of a VRF device whose table is asked instead, 0 for none. Raises KernelError.
    """
    wanted = list(destinations)
    with RouteSocket() as route:
        answers = list(route.requests(RTM_GETROUTE, (_request(d, vrf) for d in wanted)))
        objects: dict[int, tuple[Hop, ...]] | None = None
        found = []
        for answer in answers:
            if isinstance(answer, KernelError):
                found.append(Route(_REFUSALS.get(answer.errno, Kind.NONE)))
                continue
            head = _RTMSG.unpack_from(answer)
            more = attributes(answer[_RTMSG.size :])
            hops = _hops(more)
            if not hops and _RTA_NH_ID in more:  # net.ipv4.nexthop_compat_mode=0: the object alone says it
                objects = _nexthop_objects(route) if objects is None else objects
                hops = objects.get(struct.unpack("=I", more[_RTA_NH_ID])[0], ())
            found.append(_route(head, more, hops))
        return found


def destinations(family: int) -> list[IPNetwork]:
    """The destinations of all routes and routing rules of a family (AF_INET, AF_INET6), of every table."""
    found: dict[tuple[bytes, int], None] = {}
    empty = bytes(4 if family == socket.AF_INET else 16)
    with RouteSocket() as route:
        for payload in route.dump(RTM_GETROUTE, _RTMSG.pack(family, 0, 0, 0, 0, 0, 0, 0, 0)):
            got, length = _RTMSG.unpack_from(payload)[:2]
            if got == family:
                found[attributes(payload[_RTMSG.size :]).get(_RTA_DST, empty), length] = None
    return [ip_network(key) for key in found]


def rules(family: int) -> list[RoutingRule]:
    """Every routing rule of a family. Raises KernelError."""
    found = []
    with RouteSocket() as route:
        # struct fib_rule_hdr has the size of rtmsg: family, dst_len, src_len, tos, table, two reserved, action, flags
        for payload in route.dump(RTM_GETRULE, _RTMSG.pack(family, 0, 0, 0, 0, 0, 0, 0, 0)):
            got, length, source, tos, *_ = _RTMSG.unpack_from(payload)
            if got == family:
                more = attributes(payload[_RTMSG.size :])
                destination = ip_network((more[_FRA_DST], length)) if _FRA_DST in more else None
                (priority,) = struct.unpack("=I", more.get(_FRA_PRIORITY, bytes(4)))
                found.append(RoutingRule(priority, destination, tuple(dict.fromkeys(_selects(more, source, tos)))))
    return found


def _selects(more: Attributes, source_length: int, tos: int) -> Iterator[str]:
    if _FRA_SRC in more:
        yield f"from {ip_address(more[_FRA_SRC])}/{source_length}"
    if tos:
        yield f"tos {tos:#x}"
    if _FRA_IIFNAME in more:
        yield f"iif {text(more[_FRA_IIFNAME])}"
    if _FRA_OIFNAME in more:
        yield f"oif {text(more[_FRA_OIFNAME])}"
    for kind, word in (
        (_FRA_FWMARK, "fwmark"),
        (_FRA_FWMASK, "fwmark"),
        (_FRA_TUN_ID, "tun_id"),
        (_FRA_UID_RANGE, "uidrange"),
        (_FRA_IP_PROTO, "ipproto"),
        (_FRA_SPORT_RANGE, "sport"),
        (_FRA_DPORT_RANGE, "dport"),
    ):
        if any(more.get(kind, b"")):
            yield word


def _request(destination: IPAddress, vrf: int) -> bytes:
    family = socket.AF_INET if destination.version == 4 else socket.AF_INET6
    flags = _RTM_F_LOOKUP_TABLE | _RTM_F_FIB_MATCH
    head = _RTMSG.pack(family, destination.max_prefixlen, 0, 0, 0, 0, 0, 0, flags)
    device = attribute(_RTA_OIF, struct.pack("=I", vrf)) if vrf else b""
    return head + attribute(_RTA_DST, destination.packed) + device


def _route(head: tuple[int, ...], more: Attributes, hops: tuple[Hop, ...]) -> Route:
    empty = bytes(4 if head[0] == socket.AF_INET else 16)
    metrics = attributes(more.get(_RTA_METRICS, b""))
    (mtu,) = struct.unpack("=I", metrics.get(_RTAX_MTU, bytes(4)))
    prefix = ip_network((more.get(_RTA_DST, empty), head[1]), strict=False)
    return Route(_KINDS.get(head[7], Kind.NONE), prefix, hops, mtu)


def _hops(more: Attributes) -> tuple[Hop, ...]:
    if _RTA_MULTIPATH not in more:
        return (_hop(struct.unpack("=I", more[_RTA_OIF])[0], more),) if _RTA_OIF in more else ()
    data, at, found = more[_RTA_MULTIPATH], 0, []
    while at + _RTNEXTHOP.size <= len(data):
        length, _, _, ifindex = _RTNEXTHOP.unpack_from(data, at)
        if length < _RTNEXTHOP.size:
            break
        found.append(_hop(ifindex, attributes(data[at + _RTNEXTHOP.size : at + length])))
        at += (length + 3) & ~3
    return tuple(found)


def _hop(ifindex: int, more: Attributes) -> Hop:
    if _RTA_GATEWAY in more:
        return Hop(ifindex, ip_address(more[_RTA_GATEWAY]))
    if _RTA_VIA in more:  # struct rtvia: an IPv6 gateway of an IPv4 route
        return Hop(ifindex, ip_address(more[_RTA_VIA][2:]))
    return Hop(ifindex)


def _nexthop_objects(route: RouteSocket) -> dict[int, tuple[Hop, ...]]:
    """The hops of every nexthop object (5.3), of a group those of its members."""
    single: dict[int, tuple[Hop, ...]] = {}
    groups: dict[int, list[int]] = {}
    for payload in route.dump(RTM_GETNEXTHOP, _NHMSG.pack(0, 0, 0, 0, 0)):
        more = attributes(payload[_NHMSG.size :])
        (number,) = struct.unpack("=I", more[_NHA_ID])
        if _NHA_GROUP in more:
            groups[number] = [member[0] for member in _NEXTHOP_GRP.iter_unpack(more[_NHA_GROUP])]
        elif _NHA_OIF in more:
            gateway = ip_address(more[_NHA_GATEWAY]) if _NHA_GATEWAY in more else None
            single[number] = (Hop(struct.unpack("=I", more[_NHA_OIF])[0], gateway),)
    for number, members in groups.items():
        single[number] = tuple(hop for member in members for hop in single.get(member, ()))
    return single

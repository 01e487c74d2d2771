"""Route lookups as the kernel would do them for a packet of this machine (RTM_GETROUTE)."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from .errors import KernelError
from .rtnetlink import RTM_GETROUTE, RouteSocket, attribute, attributes

_RTMSG = struct.Struct("=BBBBBBBBI")  # struct rtmsg: family, dst_len, src_len, tos, table, protocol, scope, type, flags
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_METRICS, _RTA_VIA = 1, 4, 5, 8, 18
_RTAX_MTU = 2
_RTN_UNICAST = 1
_RT_TABLE_LOCAL = 255

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network


@dataclass(frozen=True)
class Route:
    """Where a packet goes: `next_hop` is the gateway, or the destination itself where it is on-link.

    `mtu` is the route's own, in bytes; 0 if it has none. `unicast` is false for local, blackhole and the like.
    """

    ifindex: int
    next_hop: IPAddress
    mtu: int
    unicast: bool


def lookup(destinations: Iterable[IPAddress]) -> list[Route | None]:
    """The route to each destination, in order; None where the kernel has none (ENETUNREACH and its like)."""
    wanted = list(destinations)
    with RouteSocket() as route:
        answers = list(route.requests(RTM_GETROUTE, (_request(d) for d in wanted)))
    return [None if isinstance(a, KernelError) else _route(a, d) for a, d in zip(answers, wanted, strict=True)]


def prefixes(family: int) -> list[IPNetwork]:
    """The destinations of all unicast routes of a family (AF_INET, AF_INET6), local table excepted."""
    found: list[IPNetwork] = []
    with RouteSocket() as route:
        for payload in route.dump(RTM_GETROUTE, _RTMSG.pack(family, 0, 0, 0, 0, 0, 0, 0, 0)):
            got, length, _, _, table, _, _, kind, _ = _RTMSG.unpack_from(payload)
            if kind != _RTN_UNICAST or got != family or table == _RT_TABLE_LOCAL:
                continue
            raw = attributes(payload[_RTMSG.size :]).get(_RTA_DST, bytes(4 if family == socket.AF_INET else 16))
            found.append(ip_network((raw, length)))
    return found


def _request(destination: IPAddress) -> bytes:
    family = socket.AF_INET if destination.version == 4 else socket.AF_INET6
    head = _RTMSG.pack(family, destination.max_prefixlen, 0, 0, 0, 0, 0, 0, 0)
    return head + attribute(_RTA_DST, destination.packed)


def _route(payload: bytes, destination: IPAddress) -> Route:
    kind = _RTMSG.unpack_from(payload)[7]
    more = attributes(payload[_RTMSG.size :])
    (ifindex,) = struct.unpack("=I", more.get(_RTA_OIF, bytes(4)))
    gateway: IPAddress = destination
    if _RTA_GATEWAY in more:
        gateway = ip_address(more[_RTA_GATEWAY])
    elif _RTA_VIA in more:  # struct rtvia: an IPv6 gateway of an IPv4 route
        gateway = ip_address(more[_RTA_VIA][2:])
    metrics = attributes(more.get(_RTA_METRICS, b""))
    (mtu,) = struct.unpack("=I", metrics.get(_RTAX_MTU, bytes(4)))
    return Route(ifindex, gateway, mtu, kind == _RTN_UNICAST)

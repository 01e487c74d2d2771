"""Routes that lead nowhere, in a table of their own that a rule asks before the others (man 8 ip-rule).

A rule of low preference stands before every route that a network manager adds, to the main table or to another one,
but behind the local table: the machine's own addresses stay. Where the table has no route, the next rule is asked.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from .errors import KernelError
from .netlink import changing
from .rtnetlink import RTM_GETROUTE, RTM_GETRULE, RouteSocket, attributes

PREFERENCE = 90  # before those that routing software adds (1000 for VRF), behind 0, the local table
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
IPV6 = Path("/proc/net/if_inet6")
_FIB_RULE = struct.Struct(
    "=BBBBBBBBI"
)  # struct fib_rule_hdr: family, dst_len, src_len, tos, table, -, -, action, flags
_FRA_PRIORITY, _FRA_TABLE = 6, 15
_RTMSG = struct.Struct("=BBBBBBBBI")  # struct rtmsg, as in `routes`
_RTA_TABLE = 15
_EAFNOSUPPORT = 97
_ROUTES = "RTM_NEWROUTE, RTM_NEWRULE or their opposites"

Network = IPv4Network | IPv6Network


def close(table: int, unreachable: Iterable[Network], thrown: Iterable[Network]) -> None:
    """Fill a table and put its rules in force, routes first. `thrown` are left to the other tables. Raises KernelError.

    Safe to repeat.
    """
    wanted = [(n, "unreachable") for n in unreachable] + [(n, "throw") for n in thrown]
    wanted = [(n, kind) for n, kind in wanted if n.version == 4 or IPV6.exists()]  # else there are no such packets
    with changing(_ROUTES) as route:
        for network, kind in wanted:
            route.route("replace", dst=str(network), table=table, type=kind, family=FAMILIES[network.version])
        for version in sorted({network.version for network, _ in wanted}):
            if not closed(table, version):
                route.rule("add", priority=PREFERENCE, table=table, family=FAMILIES[version])


def lift(table: int) -> None:
    """Take the rules away, each family in one step, then the routes. Nothing happens if there are none."""
    with changing(_ROUTES) as route:
        for version, family in FAMILIES.items():
            while closed(table, version):
                route.rule("del", priority=PREFERENCE, table=table, family=family)
        for version, family in FAMILIES.items():
            if _filled(table, version):
                route.flush_routes(table=table, family=family)


def closed(table: int, version: int) -> bool:
    """Whether a rule of ours leads to the table, in one family. Raises KernelError."""
    family = FAMILIES[version]
    try:
        with RouteSocket() as route:
            for payload in route.dump(RTM_GETRULE, _FIB_RULE.pack(family, 0, 0, 0, 0, 0, 0, 0, 0)):
                got, *_ = _FIB_RULE.unpack_from(payload)
                more = attributes(payload[_FIB_RULE.size :])
                number, priority = (_number(more.get(a, bytes(4))) for a in (_FRA_TABLE, _FRA_PRIORITY))
                if (got, number, priority) == (family, table, PREFERENCE):
                    return True
    except KernelError as error:
        if error.errno not in (_EAFNOSUPPORT, 95):  # EOPNOTSUPP: a kernel without policy routing
            raise
    return False


def _filled(table: int, version: int) -> bool:
    with RouteSocket() as route:
        for payload in route.dump(RTM_GETROUTE, _RTMSG.pack(FAMILIES[version], 0, 0, 0, 0, 0, 0, 0, 0)):
            more = attributes(payload[_RTMSG.size :])
            if _number(more.get(_RTA_TABLE, bytes(4))) == table:
                return True
    return False


def _number(raw: bytes) -> int:
    (number,) = struct.unpack("=I", raw)
    return int(number)

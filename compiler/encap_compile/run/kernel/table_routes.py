"""The routes of a routing table that is ours, and the rule that leads to it (man 8 ip-route, ip-rule).

Everything is put into the table while no rule leads to it, and taken out when none does any more: so a table takes
effect, and ceases to, in one step of each address family. The rule's preference is low: it stands before all routes of
a network manager, but behind the local table, so the machine's own addresses stay. Where the table has no route, or
one that throws, the next rule is asked.

A route to a device goes with it, down or deleted; one that is unreachable stays. So `Entry.behind` has a metric that
every other one takes precedence over.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from pathlib import Path
from typing import NamedTuple

from .errors import KernelError
from .rtnetlink import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    RTM_DELROUTE,
    RTM_DELRULE,
    RTM_GETROUTE,
    RTM_GETRULE,
    RTM_NEWROUTE,
    RTM_NEWRULE,
    RouteSocket,
    attribute,
    attributes,
)

PREFERENCE = 90  # before those that routing software adds (1000 for VRF), behind 0, the local table
PROTOCOL = 236  # of our routes and rules, so that a routing daemon and a person can tell them from theirs
VERSIONS = (4, 6)
MAIN = 254  # RT_TABLE_MAIN
IPV6 = Path("/proc/net/if_inet6")
UNICAST, UNREACHABLE, THROW = 1, 7, 9  # RTN_UNICAST ...

_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
_METRICS = {UNICAST: 100, THROW: 50, UNREACHABLE: 0xFFFFFFFE}  # of one prefix, the smallest takes precedence
_RTMSG = struct.Struct("=BBBBBBBBI")  # struct rtmsg: family, dst_len, src_len, tos, table, protocol, scope, type, flags
_RTA_DST, _RTA_OIF, _RTA_PRIORITY, _RTA_PREFSRC, _RTA_TABLE = 1, 4, 6, 7, 15
_FIB_RULE = struct.Struct(
    "=BBBBBBBBI"
)  # struct fib_rule_hdr: family, dst_len, src_len, tos, table, -, -, action, flags
_FRA_PRIORITY, _FRA_TABLE, _FRA_PROTOCOL = 6, 15, 21
_LOCAL = 255
_FR_ACT_TO_TBL, _RT_TABLE_COMPAT = 1, 252  # the latter where a table's number is too large for the header
_SCOPE_UNIVERSE, _SCOPE_LINK = 0, 253
# Without IPv6, without policy routing; a table that has no route is none.
_NOTHING_THERE = frozenset({errno.EAFNOSUPPORT, errno.EOPNOTSUPP, errno.ENOENT})

Network = IPv4Network | IPv6Network


class Entry(NamedTuple):
    """One route of a table. `device` is an ifindex, 0 where packets go to none; `source` is the address of packets that
    have none yet, None where the kernel chooses it."""

    network: Network
    kind: int
    device: int = 0
    metric: int = 0
    source: IPv4Address | IPv6Address | None = None

    @classmethod
    def to(cls, network: Network, device: int, source: IPv4Address | IPv6Address | None = None) -> Entry:
        """Packets go to a device, as if all of the prefix were on its link."""
        return cls(network, UNICAST, device, _METRICS[UNICAST], source)

    @classmethod
    def behind(cls, network: Network) -> Entry:
        """Packets go nowhere, and who sends them is told so, where the prefix has no other route."""
        return cls(network, UNREACHABLE, 0, _METRICS[UNREACHABLE])

    @classmethod
    def thrown(cls, network: Network) -> Entry:
        """Packets are left to the rules and tables behind."""
        return cls(network, THROW, 0, _METRICS[THROW])


def has_family(version: int) -> bool:
    """Whether this kernel has packets of an IP version."""
    return version == 4 or IPV6.exists()


def entries(table: int) -> set[Entry]:
    """All routes of a table. Raises KernelError."""
    found: set[Entry] = set()
    for version in filter(has_family, VERSIONS):
        body = _RTMSG.pack(_FAMILIES[version], 0, 0, 0, 0, 0, 0, 0, 0) + attribute(_RTA_TABLE, _u32(table))
        try:
            with RouteSocket(strict=True) as route:
                found.update(e for payload in route.dump(RTM_GETROUTE, body) if (e := _entry(payload, table)))
        except KernelError as error:
            if error.errno not in _NOTHING_THERE:
                raise
    return found


def add(table: int, wanted: Iterable[Entry]) -> None:
    """Put routes into a table in this order; another device takes the place of the one before. Raises KernelError."""
    with RouteSocket() as route:
        bodies = (_body(table, entry) for entry in wanted)
        for refusal in route.changes(RTM_NEWROUTE, bodies, NLM_F_CREATE | NLM_F_REPLACE):
            if refusal is not None:
                raise refusal


def drop(table: int, unwanted: Iterable[Entry]) -> None:
    """Take routes out of a table in this order; those that are not there do not matter. Raises KernelError."""
    with RouteSocket() as route:
        for refusal in route.changes(RTM_DELROUTE, (_body(table, entry, 0) for entry in unwanted)):
            if refusal is not None and refusal.errno not in (errno.ESRCH, errno.ENODEV):
                raise refusal


def fill(table: int, wanted: Iterable[Entry]) -> None:
    """Put what is missing of these into a table: what is unreachable first, what leads to a device last."""
    here = entries(table)
    missing = [e for e in dict.fromkeys(wanted) if e not in here and has_family(e.network.version)]
    add(table, sorted(missing, key=lambda e: (e.kind == UNICAST, e.kind == THROW)))


def keep_only(table: int, wanted: Iterable[Entry]) -> None:
    """Take out of a table what is not among these. A packet never loses its way before its prefix is given up: what is
    unreachable goes first, then what leads to a device."""
    unwanted = entries(table) - set(wanted)
    drop(table, sorted(unwanted, key=lambda e: (e.kind == UNICAST, e.kind == THROW)))


def open_rules(table: int, versions: Iterable[int]) -> None:
    """Have packets of some IP versions look into a table; nothing happens where they do. Raises KernelError."""
    for version in sorted(versions):
        if has_family(version) and not has_rule(table, version):
            with RouteSocket() as route:
                route.change(RTM_NEWRULE, _rule(table, version), NLM_F_CREATE | NLM_F_EXCL)


def close_rules(table: int, versions: Iterable[int] = VERSIONS) -> None:
    """Have no packet of some IP versions look into a table, in one step each. Raises KernelError."""
    for version in versions:
        while has_rule(table, version):
            with RouteSocket() as route:
                route.change(RTM_DELRULE, _rule(table, version, own=False))


def has_rule(table: int, version: int) -> bool:
    """Whether a rule of ours leads to the table, in one family. Raises KernelError."""
    return (PREFERENCE, table) in _rules(version)


def rules_before(version: int) -> list[tuple[int, int]]:
    """Preference and table of the rules that are asked before ours, or as it is, but for the local table's. Raises
    KernelError."""
    return [(pref, table) for pref, table in _rules(version) if pref <= PREFERENCE and table not in (0, _LOCAL)]


def _rules(version: int) -> list[tuple[int, int]]:
    found = []
    try:
        with RouteSocket() as route:
            for payload in route.dump(RTM_GETRULE, _FIB_RULE.pack(_FAMILIES[version], 0, 0, 0, 0, 0, 0, 0, 0)):
                family, *_ = _FIB_RULE.unpack_from(payload)
                more = attributes(payload[_FIB_RULE.size :])
                preference, table = (_number(more.get(a, bytes(4))) for a in (_FRA_PRIORITY, _FRA_TABLE))
                if family == _FAMILIES[version]:
                    found.append((preference, table))
    except KernelError as error:
        if error.errno not in _NOTHING_THERE:
            raise
    return found


def _rule(table: int, version: int, own: bool = True) -> bytes:
    """`own`: with the protocol that is ours; of a rule that an earlier release added, it is another."""
    head = _FIB_RULE.pack(_FAMILIES[version], 0, 0, 0, _RT_TABLE_COMPAT, 0, 0, _FR_ACT_TO_TBL, 0)
    body = head + attribute(_FRA_TABLE, _u32(table)) + attribute(_FRA_PRIORITY, _u32(PREFERENCE))
    return body + (attribute(_FRA_PROTOCOL, bytes([PROTOCOL])) if own else b"")


def _body(table: int, entry: Entry, protocol: int = PROTOCOL) -> bytes:
    network = entry.network
    scope = _SCOPE_LINK if entry.kind == UNICAST and network.version == 4 else _SCOPE_UNIVERSE
    head = _RTMSG.pack(
        _FAMILIES[network.version], network.prefixlen, 0, 0, _RT_TABLE_COMPAT, protocol, scope, entry.kind, 0
    )
    body = head + attribute(_RTA_TABLE, _u32(table)) + attribute(_RTA_DST, network.network_address.packed)
    body += attribute(_RTA_PRIORITY, _u32(entry.metric))
    body += attribute(_RTA_PREFSRC, entry.source.packed) if entry.source is not None else b""
    return body + (attribute(_RTA_OIF, _u32(entry.device)) if entry.device else b"")


def _entry(payload: bytes, table: int) -> Entry | None:
    family, length, _, _, _, _, _, kind, _ = _RTMSG.unpack_from(payload)
    more = attributes(payload[_RTMSG.size :])
    if _number(more.get(_RTA_TABLE, bytes(4))) != table:
        return None
    network: Network
    if family == socket.AF_INET:
        network = IPv4Network((IPv4Address(more.get(_RTA_DST, bytes(4))), length))
    else:
        network = IPv6Network((IPv6Address(more.get(_RTA_DST, bytes(16))), length))
    device = _number(more.get(_RTA_OIF, bytes(4))) if kind == UNICAST else 0  # IPv6 says lo of what is unreachable
    source = ip_address(more[_RTA_PREFSRC]) if _RTA_PREFSRC in more else None
    return Entry(network, kind, device, _number(more.get(_RTA_PRIORITY, bytes(4))), source)


def _u32(number: int) -> bytes:
    return struct.pack("=I", number)


def _number(raw: bytes) -> int:
    (number,) = struct.unpack("=I", raw)
    return int(number)

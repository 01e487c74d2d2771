"""Names that people use for numbers: IP protocols and DSCP code points."""

from __future__ import annotations

# IANA "Assigned Internet Protocol Numbers"; `ipip` and `ipv6` are IPv4 and IPv6 in IP.
PROTOCOLS: dict[str, int] = {
    "icmp": 1,
    "igmp": 2,
    "ipip": 4,
    "tcp": 6,
    "udp": 17,
    "dccp": 33,
    "ipv6": 41,
    "rsvp": 46,
    "gre": 47,
    "esp": 50,
    "ah": 51,
    "icmpv6": 58,
    "eigrp": 88,
    "ospf": 89,
    "etherip": 97,
    "pim": 103,
    "vrrp": 112,
    "l2tp": 115,
    "sctp": 132,
    "udplite": 136,
    "mpls": 137,
}
PROTOCOL_NAMES: dict[int, str] = {number: name for name, number in PROTOCOLS.items()}
PROTOCOLS_WITH_PORTS = frozenset((PROTOCOLS["tcp"], PROTOCOLS["udp"], PROTOCOLS["sctp"]))

# RFC 2474 (cs), RFC 2597 (af), RFC 3246 (ef), RFC 5865 (va), RFC 8622 (le).
DSCP: dict[str, int] = {
    **{f"cs{n}": n << 3 for n in range(8)},
    **{f"af{c}{p}": c << 3 | p << 1 for c in range(1, 5) for p in range(1, 4)},
    "le": 1,
    "va": 44,
    "ef": 46,
}
DSCP_NAMES: dict[int, str] = {number: name for name, number in DSCP.items()}

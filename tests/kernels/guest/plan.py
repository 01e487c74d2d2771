"""The addresses of the lab, and which of them means what. The specs beside this package use the same ones.

Inner addresses tell the outer family and the tunnel that carries them: 10.SIDE.TUNNEL.1 and fd00:SIDE:TUNNEL::1.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Tunnel(IntEnum):
    """Which tunnel an inner address belongs to, added to 4 or 6 for the outer family."""

    GOOD = 0
    WRONG = 100  # its key or VNI is not the receiver's
    STRANGER = 200  # the right key, from an outer address that nobody listed


OURS, PEER, SECOND = 1, 2, 3  # sides: inner addresses have the number
TUNNEL_MTU = 1400  # fits the longest stack here, VXLAN over IPv6, on a 1500 byte path
KEY = 100  # VNI and GRE key that both sides have
KEY_TO_US = 101  # only the peer has it
KEY_TO_PEER = 102  # only we have it

OUR_MAC = "02:00:00:00:01:01"  # of our uplink; in VXLAN the inner Ethernet destination towards us
PEER_MAC = "02:00:00:00:02:01"  # of the peer's VXLAN device


@dataclass(frozen=True)
class Host:
    """A namespace behind the router: its outer addresses and the router's on that link."""

    name: str
    outer: dict[str, str]
    router: dict[str, str]
    mac: str


HOSTS = {
    host.name: host
    for host in (
        Host(
            "ours",
            {"ipv4": "192.0.2.1", "ipv6": "2001:db8:1::1"},
            {"ipv4": "192.0.2.254", "ipv6": "2001:db8:1::fe"},
            OUR_MAC,
        ),
        Host(
            "peer",
            {"ipv4": "198.51.100.1", "ipv6": "2001:db8:2::1"},
            {"ipv4": "198.51.100.254", "ipv6": "2001:db8:2::fe"},
            "02:00:00:00:01:02",
        ),
        Host(
            "stranger",
            {"ipv4": "203.0.113.1", "ipv6": "2001:db8:3::1"},
            {"ipv4": "203.0.113.254", "ipv6": "2001:db8:3::fe"},
            "02:00:00:00:01:03",
        ),
    )
}


# Another tunnel endpoint, on our own link; only where next hops are tested.
ON_LINK = Host("second", {"ipv4": "192.0.2.2", "ipv6": "2001:db8:1::2"}, HOSTS["ours"].router, "02:00:00:00:01:04")
SIDES = {"ours": OURS, "peer": PEER, "second": SECOND}


def host(name: str) -> Host:
    return ON_LINK if name == ON_LINK.name else HOSTS[name]


def inner(side: int, outer: str, family: str, tunnel: Tunnel = Tunnel.GOOD) -> str:
    """The inner address of a side: `inner(PEER, "ipv6", "ipv4")` is 10.2.6.1."""
    number = (4 if outer == "ipv4" else 6) + tunnel
    return f"10.{side}.{number}.1" if family == "ipv4" else f"fd00:{side}:{number}::1"


def network(address: str) -> str:
    """The inner network that an inner address stands for."""
    return f"{address[:-1]}0/24" if "." in address else f"{address[:-1]}/48"


def every_inner(side: int) -> list[str]:
    return [inner(side, o, f, t) for o in ("ipv4", "ipv6") for f in ("ipv4", "ipv6") for t in Tunnel]

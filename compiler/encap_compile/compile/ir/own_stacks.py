"""What this host has encapsulated already, on another device or before a redirect: how it is recognised."""

from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple

from .recognition import Port
from .sources import FromHost, Literal


class Signature(NamedTuple):
    """The outer protocol, one of two where it names the inner family, and the UDP port, if there is UDP.

    `family` is empty where stacks over both have it.
    """

    family: str
    protocols: tuple[int, ...]
    port: Port | None


class EndpointMap(NamedTuple):
    """Addresses in a map. `family` is empty where both occur."""

    family: str
    map: str


class EndpointPrefixes(NamedTuple):
    """Whom an ingress `rule` takes packets from, and replies go to."""

    prefixes: tuple[IPv4Network | IPv6Network, ...]
    rule: str


class EndpointAddress(NamedTuple):
    """One address. A literal's name in the C is `constant`."""

    family: str
    source: FromHost | Literal
    constant: str


class Anywhere(NamedTuple):
    """Replies go to anybody: alone, the destination says nothing."""


TunnelEndpoint = EndpointMap | EndpointPrefixes | EndpointAddress | Anywhere


class OwnStacks(NamedTuple):
    """A packet with one of the signatures, from one of our own addresses, to one of the endpoints."""

    signatures: tuple[Signature, ...]
    endpoints: tuple[TunnelEndpoint, ...]

    @property
    def anywhere(self) -> bool:
        return Anywhere() in self.endpoints


class Paths(NamedTuple):
    """What is sent into the tunnels, so that an ICMP error about it is recognised by what it quotes.

    `own` has the stacks over all outer `families`, also those that no rule sees. `ports` are the UDP source ports, the
    least and the greatest; None if nothing is in UDP.
    """

    own: OwnStacks
    families: tuple[str, ...]
    ports: tuple[int, int] | None

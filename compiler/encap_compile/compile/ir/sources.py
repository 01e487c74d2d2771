"""Where the value of an outgoing field comes from."""

from enum import StrEnum
from typing import NamedTuple


class Literal(NamedTuple):
    """Known when compiling. `place` is the path in the spec that says so, empty for what the protocol fixes."""

    value: int
    place: str = ""


class FromHost(NamedTuple):
    """A member of `struct host`, of a value type: addresses are in network order, numbers in host order."""

    member: str
    type: str


class FromRow(NamedTuple):
    """A member of the table's row, or of what was learned. `mapped` picks the IPv4 address out of an IPv4-mapped one.

    `received` is the HEADER.FIELD that it was learned from.
    """

    member: str
    type: str
    mapped: bool = False
    received: str = ""


class FromFlow(NamedTuple):
    """A hash of the inner flow: a port in [first, last], or with `last` 0 the low bits as they are."""

    first: int
    last: int


class FromInner(NamedTuple):
    """Copied from the inner packet: dscp, ecn or ttl."""

    what: str


class ByInnerFamily(NamedTuple):
    """The number of `space` that names the inner packet, which may be of either family."""

    ipv4: int
    ipv6: int
    space: str = ""


class LengthFrom(NamedTuple):
    """The inner packet's length plus the headers from the beginning of `layer` on, or with `payload` from behind it."""

    layer: str
    payload: bool


class ChecksumScope(StrEnum):
    """What a checksum covers."""

    HEADER = "header"
    PAYLOAD = "payload"  # the header and all that follows
    PSEUDO_HEADER = "pseudo_header"  # the same, and the addresses, protocol and length of the IP header before it


class Checksum(NamedTuple):
    """RFC 1071. Over a header, the constant words are folded into a base when compiling."""

    scope: ChecksumScope


Source = Literal | FromHost | FromRow | FromFlow | FromInner | ByInnerFamily | LengthFrom | Checksum

"""TC's flags for a stack, and whether the kernel can segment GSO packets behind it: decided here and nowhere else.

`bpf_skb_adjust_room` knows one tunnel: an outer IP header, the transport header right behind it, and the Ethernet
header right before the inner packet (net/core/filter.c, `bpf_skb_net_grow`). From its flags it sets the inner offsets
and the type of a GSO packet. Segmentation later writes the lengths (and IPv4's checksum) of the outermost IP header and
the length of a UDP header right behind it again in each segment (`inet_gso_segment`, `ipv6_gso_segment`,
`__skb_udp_tunnel_segment`), and copies every byte between there and the inner frame as it is. So GRE behind GUE needs
no flag of its own, and must not have one: the kernel refuses two transports (-EINVAL).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple, assert_never

from .levels import PerSegment
from .model import Header, Space

KernelVersion = tuple[int, int]
L2_ETH_SINCE = (5, 13)  # BPF_F_ADJ_ROOM_ENCAP_L2_ETH
FIXED_SIZE = "BPF_F_ADJ_ROOM_FIXED_GSO"
UDP, GRE = 17, 47  # IP protocols
ETHERNET = 0x6558  # EtherType of a bridged Ethernet frame: ETH_P_TEB


class Outer(StrEnum):
    """The family of the outermost header."""

    IPV4 = "ipv4"
    IPV6 = "ipv6"


class Transport(StrEnum):
    """What stands right behind the outermost header."""

    NONE = "none"  # the inner packet: IP in IP
    UDP = "udp"
    GRE = "gre"
    OTHER = "other"  # a header that the kernel has no segmentation of


class Inner(StrEnum):
    """What the last header of the stack carries, as `bpf_skb_adjust_room` sees it."""

    IP = "ip"
    ETHERNET = "ethernet"  # an IP packet behind an Ethernet header of the stack
    OTHER = "other"  # no IP packet: ARP, or a frame as it came


class Gso(StrEnum):
    """What a packet is to segmentation: its `gso_type`."""

    NONE = "none"  # no GSO packet
    TCP = "tcp"  # SKB_GSO_TCPV4, SKB_GSO_TCPV6
    UDP = "udp"  # SKB_GSO_UDP_L4: one datagram a segment
    OTHER = "other"  # SCTP, fragment lists


class Pushed(NamedTuple):
    """The headers can be pushed, with these flags of `bpf_skb_adjust_room`.

    `may_shrink`: the flag FIXED_GSO may be left out; then segments get smaller by what is pushed.
    """

    flags: tuple[str, ...]
    may_shrink: bool = False


class Refused(NamedTuple):
    """They cannot. `by_helper`: the helper says so itself; otherwise it would take the packet, and lose it later."""

    reason: str
    by_helper: bool = False


NOT_IP = Refused("the helper encapsulates IPv4 and IPv6 packets alone (-ENOTSUPP)", by_helper=True)
NOT_TCP_OR_UDP = Refused("the helper knows TCP and UDP as GSO packets alone (-ENOTSUPP)", by_helper=True)
UNKNOWN_TRANSPORT = Refused(
    "the kernel has no segmentation (inet_offloads, inet6_offloads) of what follows the outer IP"
)
FRAME_IN_IP = Refused("the kernel has no segmentation of an Ethernet frame right behind IP (protocol 143)")


def answer(outer: Outer, transport: Transport, inner: Inner, gso: Gso, kernel: KernelVersion) -> Pushed | Refused:
    """What the helper is told for a packet, or why the packet must be dropped: there is an answer to everything."""
    if inner is Inner.OTHER:
        return NOT_IP
    flags = (_l3(outer), *_l4(transport), *_l2(inner, kernel))
    match gso:
        case Gso.NONE:
            return Pushed((*flags, FIXED_SIZE))
        case Gso.OTHER:
            return NOT_TCP_OR_UDP
        case Gso.TCP | Gso.UDP:
            # skb_mac_gso_segment ends with -EPROTONOSUPPORT, and the device drops the packet without a counter of ours.
            if transport is Transport.OTHER:
                return UNKNOWN_TRANSPORT
            if transport is Transport.NONE and inner is Inner.ETHERNET:
                return FRAME_IN_IP
            # A datagram is as long as its sender said; TCP's segments may be cut anywhere.
            return Pushed(flags, may_shrink=True) if gso is Gso.TCP else Pushed((*flags, FIXED_SIZE))
        case _:
            assert_never(gso)


def _l3(outer: Outer) -> str:
    # Alone they make IP in IP: SKB_GSO_IPXIP4, SKB_GSO_IPXIP6.
    match outer:
        case Outer.IPV4:
            return "BPF_F_ADJ_ROOM_ENCAP_L3_IPV4"
        case Outer.IPV6:
            return "BPF_F_ADJ_ROOM_ENCAP_L3_IPV6"
        case _:
            assert_never(outer)


def _l4(transport: Transport) -> tuple[str, ...]:
    match transport:
        case Transport.UDP:
            return ("BPF_F_ADJ_ROOM_ENCAP_L4_UDP",)  # SKB_GSO_UDP_TUNNEL
        case Transport.GRE:
            return ("BPF_F_ADJ_ROOM_ENCAP_L4_GRE",)  # SKB_GSO_GRE
        case Transport.NONE | Transport.OTHER:
            return ()
        case _:
            assert_never(transport)


def _l2(inner: Inner, kernel: KernelVersion) -> tuple[str, ...]:
    match inner:
        case Inner.ETHERNET:
            # The length of the inner Ethernet header alone: the tunnel's own header belongs to the transport. With
            # more, segmentation looks for the EtherType in the wrong place, and segmented TCP is lost.
            length = "BPF_F_ADJ_ROOM_ENCAP_L2(ETH_HLEN)"
            # Inner protocol ETH_P_TEB; older kernels leave skb->protocol there, which segmentation takes too.
            return (length, "BPF_F_ADJ_ROOM_ENCAP_L2_ETH") if kernel >= L2_ETH_SINCE else (length,)
        case Inner.IP | Inner.OTHER:
            return ()
        case _:
            assert_never(inner)


# ---- a stack ---------------------------------------------------------------------------------------------------------


class Laid(NamedTuple):
    """A header of a stack that has bytes there: its name in the stack, and its fields that differ by segment."""

    name: str
    header: Header
    per_segment: PerSegment = PerSegment()


class Segmentation(NamedTuple):
    """A stack's flags, without FIXED_GSO; and what forbids GSO packets, as INSTANCE.FIELD or INSTANCE (empty: none)."""

    flags: tuple[str, ...]
    per_segment: str


def segmentation(stack: Sequence[Laid], kernel: KernelVersion) -> Segmentation:
    """What TC must know of a stack, outermost header first."""
    outer, transport, inner = Outer(stack[0].header.name), transport_of(stack), inner_of(stack)
    single = answer(outer, transport, inner, Gso.NONE, kernel)
    assert isinstance(single, Pushed)  # stacks carry IP packets
    flags = tuple(flag for flag in single.flags if flag != FIXED_SIZE)
    return Segmentation(flags, _per_segment(stack, answer(outer, transport, inner, Gso.TCP, kernel)))


def transport_of(stack: Sequence[Laid]) -> Transport:
    """What stands behind the outermost header, by its number: the kernel looks at no other."""
    if len(stack) == 1:
        return Transport.NONE
    number = stack[1].header.announced_as.get(Space.IP_PROTOCOL)
    return {UDP: Transport.UDP, GRE: Transport.GRE}.get(number or 0, Transport.OTHER)


def inner_of(stack: Sequence[Laid]) -> Inner:
    return Inner.ETHERNET if stack[-1].header.announced_as.get(Space.ETHERTYPE) == ETHERNET else Inner.IP


def copied(position: int, transport: Transport, fields: PerSegment) -> tuple[str, ...]:
    """Which fields of a stack's header segmentation copies from the GSO packet, though they differ by segment.

    It writes the checksum of UDP only if the tunnel asks for one (SKB_GSO_UDP_TUNNEL_CSUM), which the helper cannot.
    """
    lengths = () if position == 0 or (position == 1 and transport is Transport.UDP) else fields.lengths
    return (*lengths, *(() if position == 0 else fields.checksums))


def _per_segment(stack: Sequence[Laid], segmented: Pushed | Refused) -> str:
    """The first thing that keeps the kernel from segmenting: a value that it would copy, or an unknown header."""
    transport = transport_of(stack)
    if isinstance(segmented, Refused):
        return stack[min(1, len(stack) - 1)].name
    for position, laid in enumerate(stack):
        fields = copied(position, transport, laid.per_segment)
        if fields:
            return f"{laid.name}.{fields[0]}"
    return ""

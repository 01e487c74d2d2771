"""What the rules and the headers want to know of an IP packet: RFC 791, RFC 8200."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import assert_never

from ..ir import Hides, PacketNeeds
from .facts import any_address

ETHER = 14  # bytes of an Ethernet header
ETHER_TYPES = {0x0800: "ipv4", 0x86DD: "ipv6"}
HEADER = {"ipv4": 20, "ipv6": 40}  # bytes, without options and extension headers
ICMP, TCP, UDP, ICMPV6, SCTP = 1, 6, 17, 58, 132
HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION_OPTIONS = 0, 43, 44, 60
UNSEEN = 255  # reserved by IANA: the packet does not show its protocol
MOST_EXTENSIONS = 6
DISCOVERY = range(133, 138)  # ICMPv6 types of RFC 4861
TRANSPORT_MOST = 0x3FFF


@dataclass
class SocketRecord:
    """What the packet's socket reports, or what is recorded of it for the connection.

    `cgroups` are paths that the spec names, `cgroup` is the path by which a row is found.
    """

    cgroups: frozenset[str] = frozenset()
    cgroup: str | None = None
    choice: tuple[int, int] = (0, 0)  # FNV-1a of the table's and of the row's name

    def __bool__(self) -> bool:
        return bool(self.cgroups or self.cgroup or any(self.choice))


@dataclass
class Packet:
    """Addresses are 16 bytes, IPv4 mapped. `transport`: where the transport header begins in the frame; 0: not seen.

    `ports_unseen`: a later fragment, or headers that cannot be read: it may be of any port. `discovery`: neighbour
    discovery, with a hop limit that no router has lowered. `fragment_id` has as many bytes as its header.
    """

    family: str
    source: bytes
    destination: bytes
    dscp: int
    ecn: int
    ttl: int
    mark: int
    length: int
    protocol: int = UNSEEN
    source_port: int = 0
    destination_port: int = 0
    ports_unseen: bool = False
    fragment: bool = False
    later_fragment: bool = False
    fragment_id: bytes = b""
    tcp_flags: int = 0
    transport: int = 0
    discovery: bool = False
    socket: SocketRecord = field(default_factory=SocketRecord)

    def hides(self, what: Hides) -> bool:
        """Whether it does not show what rules may ask for."""
        match what:
            case Hides.PORTS:
                return self.ports_unseen
            case Hides.PROTOCOL:
                return self.protocol == UNSEEN
            case Hides.NOTHING:
                return False
            case _:
                assert_never(what)


def parse(data: bytes | bytearray, offset: int, family: str, mark: int, needs: PacketNeeds) -> Packet | None:
    """The packet at `offset` of a frame. None: there is no header of that family."""
    return (_ipv4 if family == "ipv4" else _ipv6)(data, offset, mark, needs)


def _ipv4(data: bytes | bytearray, offset: int, mark: int, needs: PacketNeeds) -> Packet | None:
    head = data[offset : offset + 20]
    size = (head[0] & 15) * 4 if head else 0
    if len(head) < 20 or head[0] >> 4 != 4 or size < 20:
        return None
    fragment = int.from_bytes(head[6:8], "big")
    packet = Packet(
        family="ipv4",
        source=any_address(bytes(head[12:16])),
        destination=any_address(bytes(head[16:20])),
        dscp=head[1] >> 2,
        ecn=head[1] & 3,
        ttl=head[8],
        mark=mark,
        length=len(data) - offset,
        protocol=head[9],
        fragment=bool(fragment & 0x3FFF),  # more of them, or an offset
        later_fragment=bool(fragment & 0x1FFF),
        fragment_id=bytes(head[4:6]),
    )
    if packet.later_fragment:
        packet.ports_unseen = True
    else:
        packet.transport = offset + size
        _ports(data, packet)
    return packet


def _ipv6(data: bytes | bytearray, offset: int, mark: int, needs: PacketNeeds) -> Packet | None:
    head = data[offset : offset + 40]
    if len(head) < 40 or head[0] >> 4 != 6:
        return None
    first = int.from_bytes(head[:4], "big")
    packet = Packet(
        family="ipv6",
        source=bytes(head[8:24]),
        destination=bytes(head[24:40]),
        dscp=first >> 22 & 63,
        ecn=first >> 20 & 3,
        ttl=head[7],
        mark=mark,
        length=len(data) - offset,
        protocol=head[6],
    )
    _chain(data, offset + 40, packet, needs)
    return packet


def _chain(data: bytes | bytearray, at: int, packet: Packet, needs: PacketNeeds) -> None:
    """Behind the extension headers (RFC 8200, section 4). A chain that is longer or cut off hides the protocol."""
    for _ in range(MOST_EXTENSIONS + 1):
        extension = data[at : at + 8]
        if packet.protocol in (HOP_BY_HOP, ROUTING, DESTINATION_OPTIONS):
            if len(extension) < 8:
                break
            packet.protocol = extension[0]
            at += (extension[1] + 1) * 8
        elif packet.protocol == FRAGMENT:
            if len(extension) < 8:
                break
            packet.protocol = extension[0]
            packet.fragment = True
            packet.fragment_id = bytes(extension[4:8])
            if int.from_bytes(extension[2:4], "big") & 0xFFF8:
                packet.later_fragment = packet.ports_unseen = True
                if needs.fragments:
                    packet.protocol = UNSEEN  # the first one's counts (RFC 8200, section 4.5)
                return
            at += 8
        else:
            packet.transport = at
            if packet.protocol == ICMPV6:
                type_ = data[at : at + 1]
                packet.discovery = packet.ttl == 255 and bool(type_) and type_[0] in DISCOVERY
            _ports(data, packet)
            return
    packet.protocol = UNSEEN
    packet.ports_unseen = True


def _ports(data: bytes | bytearray, packet: Packet) -> None:
    """TCP, UDP and SCTP begin with the two ports."""
    if packet.protocol not in (TCP, UDP, SCTP):
        return
    at = packet.transport
    if at + 4 > len(data):
        packet.ports_unseen = True
        return
    packet.source_port = int.from_bytes(data[at : at + 2], "big")
    packet.destination_port = int.from_bytes(data[at + 2 : at + 4], "big")
    if packet.protocol == TCP and at + 13 < len(data):
        packet.tcp_flags = data[at + 13]

"""IP packets from words: what a test describes, in bytes."""

from __future__ import annotations

import struct
from typing import NamedTuple

from ..headers.encode import checksum

TCP, UDP, SCTP, ICMP, ICMPV6 = 6, 17, 132, 1, 58
WITH_PORTS = (TCP, UDP, SCTP)
TRANSPORT = {TCP: 20, UDP: 8, SCTP: 12, ICMP: 8, ICMPV6: 8}  # bytes of headers
_IP = {4: 20, 16: 40}
_FRAGMENT = 44
_FRAGMENT_HEADER = 8
PAYLOAD = 32  # bytes, where no length is asked for
_MORE = 0x2000
_DF = 0x4000
_LATER = 185  # the offset of a later fragment, in units of 8 bytes: behind 1480 bytes


class Inner(NamedTuple):
    """An IP packet. Addresses are in network order, 4 or 16 bytes. With `length` 0 it is short."""

    source: bytes
    destination: bytes
    protocol: int = UDP
    source_port: int = 40000
    destination_port: int = 9
    dscp: int = 0
    ecn: int = 0
    ttl: int = 64
    df: int = 0  # of IPv4
    length: int = 0
    fragment: str = ""  # first or later


def shortest(inner: Inner) -> int:
    """Bytes of the headers that the packet shows."""
    extension = _FRAGMENT_HEADER if inner.fragment and len(inner.source) == 16 else 0
    transport = 0 if inner.fragment == "later" else TRANSPORT.get(inner.protocol, 0)
    return _IP[len(inner.source)] + extension + transport


def packet(inner: Inner) -> bytes:
    """The packet, from its IP header on. ValueError if it is to be shorter than its headers."""
    headers = shortest(inner)
    length = inner.length or headers + PAYLOAD
    if length < headers:
        raise ValueError(f"{length} bytes have no room for {headers} bytes of headers")
    return _ipv4(inner, length) if len(inner.source) == 4 else _ipv6(inner, length)


def destination_of(made: bytes) -> tuple[bytes, int, int]:
    """Address, protocol and port that a packet made here goes to; no port where it shows none."""
    if made[0] >> 4 == 4:
        later = int.from_bytes(made[6:8], "big") & 0x1FFF
        address, number, behind = made[16:20], made[9], b"" if later else made[20:]
    else:
        address, number, behind = made[24:40], made[6], made[40:]
    port = int.from_bytes(behind[2:4], "big") if number in WITH_PORTS else 0
    return address, number, port


def _ipv4(inner: Inner, length: int) -> bytes:
    fragment = {"first": _MORE, "later": _LATER}.get(inner.fragment, 0) | inner.df * _DF
    tos = inner.dscp << 2 | inner.ecn
    addresses = inner.source + inner.destination
    head = struct.pack(">BBHHHBB", 0x45, tos, length, 1, fragment, inner.ttl, inner.protocol)
    sum_ = checksum(head + bytes(2) + addresses)
    return head + sum_.to_bytes(2, "big") + addresses + _behind(inner, length - 20)


def _ipv6(inner: Inner, length: int) -> bytes:
    extension, protocol, size = b"", inner.protocol, length - 40
    if inner.fragment:
        field = _LATER << 3 if inner.fragment == "later" else 1
        extension = struct.pack(">BBHI", inner.protocol, 0, field, 1)
        protocol = _FRAGMENT
    first = 6 << 28 | inner.dscp << 22 | inner.ecn << 20
    head = struct.pack(">IHBB", first, size, protocol, inner.ttl)
    return head + inner.source + inner.destination + extension + _behind(inner, size - len(extension))


def _behind(inner: Inner, size: int) -> bytes:
    """The transport header and the payload, in `size` bytes."""
    if inner.fragment == "later":
        return bytes(size)
    ports = struct.pack(">HH", inner.source_port, inner.destination_port)
    if inner.protocol == TCP:
        head, at = ports + struct.pack(">IIBBHHH", 1, 1, 0x50, 0x10, 0xFFFF, 0, 0), 16
    elif inner.protocol == UDP:
        head, at = ports + struct.pack(">HH", size, 0), 6
    elif inner.protocol == SCTP:
        return (ports + bytes(8)).ljust(size, b"\0")
    elif inner.protocol in (ICMP, ICMPV6):
        head, at = struct.pack(">BBHHH", 8 if inner.protocol == ICMP else 128, 0, 0, 1, 1), 2
    else:
        return bytes(size)
    data = head.ljust(size, b"\0")
    pseudo = b"" if inner.protocol == ICMP else _pseudo(inner, size)
    sum_ = checksum(pseudo + data) or 0xFFFF
    return data[:at] + sum_.to_bytes(2, "big") + data[at + 2 :]


def _pseudo(inner: Inner, size: int) -> bytes:
    """RFC 9293, section 3.1; RFC 8200, section 8.1."""
    form = ">BBH" if len(inner.source) == 4 else ">IBBBB"
    tail = (0, inner.protocol, size) if len(inner.source) == 4 else (size, 0, 0, 0, inner.protocol)
    return inner.source + inner.destination + struct.pack(form, *tail)

"""The hash of an inner flow, by which routers spread flows over paths: RFC 6438. Words are as a program loads them."""

from __future__ import annotations

import sys

from .packet import Packet
from .run import Run

GOLDEN = 0x9E3779B1  # 2^32 by the golden ratio


def native(raw: bytes) -> int:
    """A word as a program loads it."""
    return int.from_bytes(raw, sys.byteorder)


def hash_add(hash_: int, word: int) -> int:
    hash_ = (hash_ ^ word) * GOLDEN & 0xFFFFFFFF
    return hash_ ^ hash_ >> 15


def words_of(raw: bytes) -> list[int]:
    return [native(raw[i : i + 4]) for i in range(0, len(raw), 4)]


def flow_hash(run: Run, packet: Packet) -> int:
    """The same for all packets of an inner flow: fragments show no ports, so all of one packet leave them out."""
    hash_ = run.frame.hash
    source, destination = words_of(packet.source), words_of(packet.destination)
    if packet.family == "ipv4":
        source, destination = source[3:], destination[3:]
    for pair in zip(source, destination, strict=True):
        for word in pair:
            hash_ = hash_add(hash_, word)
    hash_ = hash_add(hash_, packet.protocol)
    if not packet.fragment:
        ports = (native(port.to_bytes(2, "big")) for port in (packet.source_port, packet.destination_port))
        first, second = ports
        hash_ = hash_add(hash_, first << 16 | second)
    return hash_

"""GSO packets that the kernel cannot segment once they have headers, whatever these are."""

from __future__ import annotations

from typing import NamedTuple

from .packet import ETHER, UDP, Packet
from .run import Run

HOP_BY_HOP = 0
LONGEST_IPV6 = 40 + 0xFFFF  # bytes of a packet whose length an IPv6 header can hold
LACKING = {"ipv4": 1, "ipv6": 2}  # bits of host.no_tx_checksum


class Lost(NamedTuple):
    """Such a packet's counter, and why it would be lost."""

    counter: str
    why: str


def unsegmentable(run: Run, packet: Packet) -> Lost | None:
    """None: the kernel can, or it is not a GSO packet."""
    if not run.frame.gso_size:
        return None
    if packet.family == "ipv6" and packet.length > LONGEST_IPV6 and run.data[ETHER + 6] == HOP_BY_HOP:
        return Lost("egress_gso_jumbo", "its jumbo header would stay in each segment (BIG TCP)")
    lacking = run.machine.facts.host["no_tx_checksum"]
    assert isinstance(lacking, int)
    if packet.protocol == UDP and not run.frame.forwarded and lacking & LACKING[packet.family]:
        return Lost("egress_gso_checksum", "a local socket's UDP_SEGMENT, and the device fills in no checksums")
    return None

"""The maximum segment size in a SYN is lowered so that segments fit with the headers: RFC 9293, section 3.7.1."""

from __future__ import annotations

from . import checksum
from .frame import Did
from .packet import HEADER, TRANSPORT_MOST
from .run import Run

TCP_HEADER = 20
CHECKSUM, DATA_OFFSET, FLAGS = 16, 12, 13  # bytes from the TCP header's beginning
SYN = 2
END, NOP, MSS, AO = 0, 1, 2, 29  # kinds of options; AO: RFC 5925


def is_syn(run: Run, transport: int) -> bool:
    """Whether the TCP header there is a SYN's; 0: the packet shows none."""
    at = (transport & TRANSPORT_MOST) + FLAGS
    return bool(transport) and at < len(run.data) and bool(run.data[at] & SYN)


def clamp(run: Run, transport: int, family: str, overhead: int, mtu: int = 0) -> bool:
    """Lower the MSS to what fits `mtu`, the device's if it is not given.

    True: the segment is authenticated with its options (TCP-AO), and stays as it is.
    """
    transport &= TRANSPORT_MOST
    headers = overhead + HEADER[family] + TCP_HEADER
    mtu = mtu or run.mtu
    if headers >= mtu:
        return False
    most = mtu - headers
    at = _option(run.data, transport, MSS, 4)
    if not at or at + 4 > len(run.data):
        return False
    old = int.from_bytes(run.data[at + 2 : at + 4], "big")
    if old <= most:
        return False
    if _option(run.data, transport, AO, 2):
        return True
    run.data[at + 2 : at + 4] = most.to_bytes(2, "big")
    run.step(Did.CHANGED, "mss", f"{old} to {most}")
    if (at - transport) & 1:  # the two bytes are halves of two words of the checksum
        old, most = checksum.swapped(old), checksum.swapped(most)
    field = slice(transport + CHECKSUM, transport + CHECKSUM + 2)
    run.data[field] = checksum.changed(int.from_bytes(run.data[field], "big"), old, most).to_bytes(2, "big")
    return False


def _option(data: bytes | bytearray, transport: int, kind: int, least: int) -> int:
    """Where an option begins that has at least so many bytes; 0: nowhere."""
    if transport + DATA_OFFSET >= len(data):
        return 0
    end = transport + (data[transport + DATA_OFFSET] >> 4) * 4
    at = transport + TCP_HEADER
    while at + 2 <= end and at + 2 <= len(data) and data[at] != END:
        if data[at] == kind:
            return at if data[at + 1] >= least and at + least <= end else 0
        length = 1 if data[at] == NOP else data[at + 1]
        if not length:
            return 0
        at += length
    return 0

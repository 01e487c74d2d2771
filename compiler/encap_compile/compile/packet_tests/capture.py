"""Frames out of a capture file: the classic pcap format (draft-ietf-opsawg-pcap), of Ethernet."""

from __future__ import annotations

import struct
from pathlib import Path

from ...common.diagnostics import DiagnosedError, Diagnostic, Exit, Place
from ...common.regular_file import read_regular

MAGIC = {b"\xd4\xc3\xb2\xa1": "<", b"\x4d\x3c\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">", b"\xa1\xb2\x3c\x4d": ">"}
ETHERNET = 1
ETHER = 14  # bytes of its header
_HEAD, _RECORD = 24, 16


def frame_of(path: str, number: int) -> bytes:
    """The frame of that number, from 1 on. Raises DiagnosedError T131."""
    try:
        data = read_regular(Path(path))
    except OSError as error:
        raise _wrong(path, f"{path} cannot be read: {error.strerror}", "") from None
    order = MAGIC.get(data[:4])
    if order is None or len(data) < _HEAD:
        help = "write it again: tcpdump -r FILE -w NEW.pcap, or editcap -F pcap FILE NEW.pcap"
        raise _wrong(path, f"{path} is no pcap file", help)
    (link,) = struct.unpack_from(f"{order}I", data, 20)
    if link & 0xFFFF != ETHERNET:
        raise _wrong(path, f"{path} does not hold Ethernet frames", "capture on an Ethernet device")
    at, seen = _HEAD, 0
    while at + _RECORD <= len(data):
        _, _, size, whole = struct.unpack_from(f"{order}IIII", data, at)
        at, seen = at + _RECORD, seen + 1
        if seen == number:
            if size != whole or at + size > len(data):
                raise _wrong(path, f"frame {number} of {path} was cut off", "capture whole frames: tcpdump -s 0")
            if size < ETHER:
                raise _wrong(path, f"frame {number} of {path} is shorter than an Ethernet header", "take another one")
            return data[at : at + size]
        at += size
    raise _wrong(path, f"{path} has {seen} frames, and number {number} is asked for", "the first has number 1")


def _wrong(path: str, words: str, help: str) -> DiagnosedError:
    return DiagnosedError([Diagnostic("T131", words, Place(path), help)], Exit.SPEC)

"""What becomes of a GSO packet that a rule encapsulates: there is an answer to every combination, and no silent loss.

`gso.answer` says whether the headers can be pushed and segmented behind. This adds what the packet brings with it. The
program asks the same questions (templates/bpf/include/encap_segmentation.h), and docs/operations.md has the table.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from .gso import Gso, KernelVersion, Pushed, Refused

UDP_SEGMENT_UNASKED_SINCE = (6, 11)  # a socket is no longer refused because the device fills in no checksums
NO_JUMBO_HEADER_SINCE = (7, 0)  # IPv6 BIG TCP says its length as IPv4's does


class Fate(StrEnum):
    """A counter's name, or what needs none."""

    SEGMENTED = "segmented"
    REFUSED = "EIO"  # by the kernel, to the socket: there is no packet
    PER_SEGMENT = "egress_gso"
    CHECKSUM = "egress_gso_checksum"
    JUMBO = "egress_gso_jumbo"
    HELPER = "egress_no_headroom"


class Brought(NamedTuple):
    """What a GSO packet brings with it: its kind, its IP version, who made it, its size.

    `local`: a socket of this machine. `checksums`: the device fills in those of that IP version. `big`: more bytes than
    a header's length can say (BIG TCP).
    """

    gso: Gso
    version: int
    local: bool = True
    checksums: bool = True
    big: bool = False


def fate(headers: Pushed | Refused, differs: str, brought: Brought, kernel: KernelVersion) -> Fate:
    """`headers` is what `gso.answer` says of the stack, `differs` what in it differs by segment (empty: nothing).

    In the order in which the program asks.
    """
    unfinished = brought.gso is Gso.UDP and brought.local and not brought.checksums
    if unfinished and kernel < UDP_SEGMENT_UNASKED_SINCE:
        return Fate.REFUSED
    if differs or (isinstance(headers, Refused) and not headers.by_helper):
        return Fate.PER_SEGMENT
    if brought.big and brought.version == 6 and kernel < NO_JUMBO_HEADER_SINCE:
        return Fate.JUMBO
    if unfinished:
        return Fate.CHECKSUM
    return Fate.HELPER if isinstance(headers, Refused) else Fate.SEGMENTED

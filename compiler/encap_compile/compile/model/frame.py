"""What goes into the model and what comes out: frames, verdicts, counters, and the steps between."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from ...common.record import Record
from ..ir import Stack


class Verdict(StrEnum):
    """What becomes of a frame at a hook.

    PASS: the next program on the hook decides. REDIRECT: it leaves by another neighbour, or is received once more.
    """

    PASS = "pass"
    DROP = "drop"
    REDIRECT = "redirect"


class Gso(StrEnum):
    """What the kernel knows a GSO packet to be. Helpers refuse one of no known kind: BPF_PROG_TEST_RUN makes such."""

    UNKNOWN = ""
    TCP = "tcp"
    UDP = "udp"


class Socket(Record):
    """What the kernel says of the socket that a frame is from.

    `cgroups` are the paths, below the attached one, of the cgroup that the socket was made in and of those it lies in.
    `choice` is the row that the socket chose, (table, row) by their names. `shared`: the socket is a raw one or a
    listener, from which the kernel sends resets and acknowledgements for others.
    """

    cgroups: tuple[str, ...] = ()
    choice: tuple[str, str] | None = None
    shared: bool = False


class Frame(Record):
    """A frame as a program on a hook of TC gets it, from its Ethernet header on.

    `socket` is None for what is forwarded, `forwarded` says that it came in by a device. `hash` is what the kernel has
    in skb->hash.
    """

    data: bytes
    mark: int = 0
    gso_size: int = 0
    gso_segs: int = 0
    gso: Gso = Gso.UNKNOWN
    hash: int = 0
    socket: Socket | None = None
    forwarded: bool = False


class Connecting(Record):
    """A socket at connect(). `destination` has 4 or 16 bytes, `cgroups` are as in `Socket`."""

    destination: bytes
    protocol: int
    destination_port: int
    mark: int = 0
    cgroups: tuple[str, ...] = ()


class Did(StrEnum):
    """The kinds of steps."""

    READ = "read"  # what the packet shows
    TRIED = "tried"  # a rule, and the condition that the packet does not meet
    MATCHED = "matched"  # a rule
    FOUND = "found"  # a row, or a learned flow
    MISSED = "missed"  # there is no such row
    CHECKED = "checked"  # a check that the packet does not pass
    SENT = "sent"  # headers in front of the packet
    RECEIVED = "received"  # a stack that was recognised
    CHANGED = "changed"  # a word of the packet itself
    KEPT = "kept"  # what is remembered for other packets
    COUNTED = "counted"


class Step(NamedTuple):
    """`name` is what it was done with: a rule, a table, a check, a counter. `place` is the spec's, if it has one."""

    did: Did
    name: str
    detail: str = ""
    place: str = ""

    def __str__(self) -> str:
        text = f"{self.did} {self.name}{f': {self.detail}' if self.detail else ''}"
        return f"{text} ({self.place})" if self.place else text


class Sent(NamedTuple):
    """The headers that were put in front of a packet: which stack, the values that it was given, its bytes."""

    stack: Stack
    values: Mapping[str, Mapping[str, object]]  # header's member -> field -> value
    outer: bytes


class Outcome(Record):
    """`counted` holds the counters that moved: name -> (packets, bytes). `rule` is the rule that decided.

    `chosen` is the row that connect rules chose for a socket, (table, row) by their names.
    """

    verdict: Verdict
    data: bytes
    mark: int
    counted: Mapping[str, tuple[int, int]]
    steps: tuple[Step, ...]
    rule: str = ""
    sent: Sent | None = None
    chosen: tuple[str, str] | None = None

"""The tests of a spec as written: packets, and what is expected of them. They reach no artifact."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import StrEnum

from ..common.diagnostics import NOWHERE, Place
from ..common.record import Record


class Way(StrEnum):
    """Which programs a test is for: those of egress, those of ingress, or those of sockets that connect."""

    LEAVES = "leaves"
    ARRIVES = "arrives"
    CONNECTS = "connects"


class Word(Record):
    """A value as written."""

    value: int | str
    place: Place = dataclasses.field(default=NOWHERE, compare=False)


class TestPacket(Record):
    """A packet, or a socket that connects, by the words of a match.

    `received` are fields of the headers that a packet comes in, by HEADER.FIELD.
    """

    __test__ = False  # for pytest, which takes names for what they begin with

    words: Mapping[str, Word]
    encapsulation: Word | None
    received: Mapping[str, Word]
    place: Place = dataclasses.field(default=NOWHERE, compare=False)


class PacketTest(Record):
    """`way` says what `packet` is: one that leaves or arrives, or what a socket connects to.

    `expect` has the verdict, and where they are asked for the rule, row, mark and counter; `sent` are fields of the
    headers that the packet leaves in, by HEADER.FIELD. `after` are tests whose packets come before.
    """

    name: str
    way: Way
    packet: TestPacket
    expect: Mapping[str, Word]
    sent: Mapping[str, Word]
    after: tuple[Word, ...] = ()
    place: Place = dataclasses.field(default=NOWHERE, compare=False)


class Tests(Record):
    """`host` are values of the machine that the tests run on; the others are invented."""

    __test__ = False

    host: Mapping[str, tuple[Word, ...]]
    packets: tuple[PacketTest, ...]

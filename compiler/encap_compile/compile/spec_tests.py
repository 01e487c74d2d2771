"""The tests of a spec as written: packets, and what is expected of them. They reach no artifact."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from ..common.diagnostics import NOWHERE, Place
from ..common.record import Record


class Word(Record):
    """A value as written."""

    value: int | str
    place: Place = dataclasses.field(default=NOWHERE, compare=False)


class TestPacket(Record):
    """A packet by the words of a match. `received` are fields of the headers that it comes in, by HEADER.FIELD."""

    __test__ = False  # for pytest, which takes names for what they begin with

    words: Mapping[str, Word]
    encapsulation: Word | None
    received: Mapping[str, Word]
    place: Place = dataclasses.field(default=NOWHERE, compare=False)


class PacketTest(Record):
    """`leaves`: the packet meets the egress program, else the ingress program.

    `expect` has the verdict, and where they are asked for the rule, row, mark and counter; `sent` are fields of the
    headers that the packet leaves in, by HEADER.FIELD. `after` are tests whose packets come before.
    """

    name: str
    leaves: bool
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

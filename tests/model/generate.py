"""Frames for a program: structured, of every kind that the program tells apart, from a seed."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from encap_compile.compile import ir
from encap_compile.compile.model import Facts, Frame

from .aims import egress_aims, ingress_aims
from .inner import Inner, Inners, checksum
from .near import Near
from .outer import Outers
from .path_errors import PathErrors

MOST = 3400  # bytes: BPF_PROG_TEST_RUN takes what fits into a page
# It refuses frames without a payload, and those that are shorter than the IP header that their type promises: such are
# made longer here.
LEAST = 15
LEAST_OF_TYPE = {b"\x08\x00": 34, b"\x86\xdd": 54}
TYPES = {"ipv4": b"\x08\x00", "ipv6": b"\x86\xdd"}
OTHER_TYPES = (b"\x08\x06", b"\x81\x00", b"\x88\xa8", b"\x00\x40", *TYPES.values())


class Generator:
    """`draw` says which hook a frame is for. The same seed gives the same frames."""

    def __init__(self, seed: int, program: ir.Program, facts: Facts) -> None:
        self.random = Random(seed)
        self.near = Near(self.random, program, facts)
        self.inners = Inners(self.random, self.near)
        self.outers = Outers(self.random, self.near, program, facts)
        self.program = program
        paths = program.egress.paths
        self.errors = PathErrors(self.random, self.near, paths, facts) if paths else None
        self.leaving, self.arriving = egress_aims(program, facts), ingress_aims(program, facts)
        self.arrived: Inner
        self.reflects = any(isinstance(s, ir.Recall) for r in program.egress.rules for s in r.steps)

    def draw(self) -> tuple[str, Frame]:
        if self.outers.arriving and self.random.random() < 0.5:
            return "ingress", self._arriving()
        if self.errors is not None and self.random.random() < 0.08:
            family, packet = self.errors.draw()
            return "ingress", self._frame(family, packet, 0, rate=0.1)
        if self.program.ingress is not None and self.random.random() < 0.15:  # not by a tunnel
            return "ingress", self._leaving(answered=True)
        return "egress", self._leaving()

    def accepted(self, mark: int) -> None:
        """The last frame that came in was taken, with this mark: it may be answered, or go on."""
        self.inners.remember(replace(self.arrived, mark=mark))

    def _leaving(self, answered: bool = False) -> Frame:
        inner = self.inners.draw(0.5 if self.reflects else 0.15, self.leaving)
        inner = inner.answered() if answered and self.random.random() < 0.7 else inner
        data, family, mark = inner.bytes(), inner.family, inner.mark
        if self.outers.arriving and self.random.random() < 0.05:  # what looks like ours already
            family, data = self.outers.wrap(data)
            data = self._exchanged(family, data)
        return self._frame(family, data, mark, rate=0.1)

    def _arriving(self) -> Frame:
        inner = self.inners.draw(0.2, self.arriving)
        if self.leaving and self.random.random() < 0.1:  # whose answer a rule may take
            inner = self.inners.draw(0.2, self.leaving).answered()
        data = inner.bytes()
        if self.random.random() < 0.1:
            data = self._damaged(data)
        family, datagram = self.outers.wrap(data)
        self.arrived = inner
        mark = self.near.number("mark") if self.random.random() < 0.3 else 0
        return self._frame(family, datagram, mark, rate=0.12)

    @staticmethod
    def _exchanged(family: str, data: bytes) -> bytes:
        first, size = (12, 4) if family == "ipv4" else (8, 16)
        return (
            data[:first] + data[first + size : first + 2 * size] + data[first : first + size] + data[first + 2 * size :]
        )

    def _frame(self, family: str, packet: bytes, mark: int, rate: float) -> Frame:
        random = self.random
        packet = packet[:MOST]
        if random.random() < rate:
            packet = self._damaged(packet)
        type_ = TYPES[family] if random.random() < 0.97 else random.choice(OTHER_TYPES)
        destination = random.choice((b"\2\0\0\0\0\2", b"\2\0\0\0\0\x77", b"\xff" * 6, b"\x33\x33\0\0\0\1"))
        data = destination + b"\2\0\0\0\0\1" + type_ + packet
        data += bytes(random.choice((0, 0, 0, 0, 0, 0, 0, 1, 18)))  # padding
        gso_size = gso_segs = 0
        forwarded = random.random() < 0.3
        if random.random() < 0.06:
            gso_size = random.choice((1, 536, 1300, 1380, 1400, 1448, 1460, random.randint(1, 2000)))
            gso_segs = random.choice((0, 1, 2, 17))
        return Frame(data.ljust(LEAST_OF_TYPE.get(type_, LEAST), b"\0"), mark, gso_size, gso_segs, forwarded=forwarded)

    def _damaged(self, packet: bytes) -> bytes:
        """Cut off, or one byte or bit another; with the outer checksum right, so that this is not all that is wrong."""
        random = self.random
        if not packet:
            return packet
        kind = random.choice(("cut", "cut", "bit", "bit", "byte", "length"))
        if kind == "cut":
            return packet[: random.randrange(len(packet) + 1)]
        changed = bytearray(packet)
        at = random.randrange(min(len(changed), 120))
        if kind == "bit":
            changed[at] ^= 1 << random.randrange(8)
        elif kind == "byte":
            changed[at] = random.getrandbits(8)
        elif len(changed) > 6:
            changed[random.choice((2, 3, 4, 5))] ^= 1 << random.randrange(8)
        if changed[0] >> 4 == 4 and len(changed) >= 20 and random.random() < 0.8:
            changed[10:12] = b"\0\0"
            changed[10:12] = checksum(bytes(changed[:20])).to_bytes(2, "big")
        return bytes(changed)

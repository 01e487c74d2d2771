"""What comes in: which of our stacks a packet carries, if it comes to us."""

from __future__ import annotations

from typing import NamedTuple

from .. import ir
from . import fit
from .decapsulate import Decapsulation
from .frame import Did, Verdict
from .owners import fit_plain
from .packet import DESTINATION_OPTIONS, ETHER, HEADER
from .run import Run

LIMIT = 8  # bytes of a destination options header that holds a tunnel encapsulation limit alone
UDP_HEADER = 8


def receive(run: Run) -> Verdict:
    program = run.machine.program
    if program.ingress is None:
        return Verdict.PASS
    if program.ingress.clamps:
        fit_plain(run)
    if program.ingress.fits_plain:
        fit.arrives(run, run.family, 0)
    outer = _outer(run)
    if outer is None:
        return Verdict.PASS
    for decapsulator in program.ingress.decapsulators:
        if not _looks_like(run, decapsulator, outer):
            continue
        if decapsulator.signature.port >= 0 and outer.later_fragment:
            return Verdict.PASS  # it shows no port; without the first, which is refused, it is nothing
        if not _has_marks(run, decapsulator, outer):
            continue
        stack = decapsulator.stack
        run.step(Did.RECEIVED, stack.title, stack.name, stack.place)
        return Decapsulation(run, decapsulator, outer.extension, outer.protocol).verdict()
    return Verdict.PASS


class _Outer(NamedTuple):
    """The outermost header. `behind` is what its protocol names, `extension` the bytes of a limit before that."""

    family: str
    destination: bytes
    protocol: int
    later_fragment: bool
    extension: int
    behind: int


def _outer(run: Run) -> _Outer | None:
    """None: it has none, or options that make the packet somebody else's."""
    family, ingress = run.family, run.machine.program.ingress
    head = bytes(run.data[ETHER : ETHER + HEADER.get(family, 0)])
    if not family or len(head) < HEADER[family] or ingress is None:
        return None
    if not any(d.stack.outer_family == family for d in ingress.decapsulators):
        return None
    if family == "ipv4":
        later = bool(int.from_bytes(head[6:8], "big") & 0x1FFF)
        return _Outer(family, head[16:20], head[9], later, 0, ETHER + (head[0] & 15) * 4)
    protocol, extension = head[6], 0
    if protocol == DESTINATION_OPTIONS and any(
        d.encapsulation_limit for d in ingress.decapsulators if d.stack.outer_family == family
    ):
        limit = bytes(run.data[ETHER + 40 : ETHER + 40 + LIMIT])
        # RFC 2473, section 4.1.1: the limit, padded by PadN (RFC 8200, section 4.2)
        if len(limit) < LIMIT or limit[1:4] != b"\0\4\1" or limit[5:8] != b"\1\1\0":
            return None
        protocol, extension = limit[0], LIMIT
    return _Outer(family, head[24:40], protocol, False, extension, ETHER + 40 + extension)


def _looks_like(run: Run, decapsulator: ir.Decapsulator, outer: _Outer) -> bool:
    """By the outer protocol, and our own address."""
    if decapsulator.stack.outer_family != outer.family or outer.protocol not in decapsulator.signature.protocols:
        return False
    own = decapsulator.own_address
    if isinstance(own, ir.FromHost):
        return outer.destination == run.machine.facts.host[own.member]
    assert isinstance(own, ir.Literal)
    return int.from_bytes(outer.destination, "big") == own.value


def _has_marks(run: Run, decapsulator: ir.Decapsulator, outer: _Outer) -> bool:
    """By the UDP port, and the bits that tell stacks of one protocol and port apart."""
    port = decapsulator.signature.port
    if port >= 0:
        udp = run.data[outer.behind : outer.behind + UDP_HEADER]
        if len(udp) < UDP_HEADER or int.from_bytes(udp[2:4], "big") != port:
            return False
    for mark in decapsulator.marks:
        at, size = outer.behind + mark.offset, mark.bits // 8
        word = run.data[at : at + size]
        if len(word) < size or int.from_bytes(word, "big") & mark.mask not in mark.values:
            return False
    return True

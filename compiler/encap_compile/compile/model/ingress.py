"""What comes in: which of our stacks a packet carries, if it comes to us."""

from __future__ import annotations

from typing import NamedTuple, assert_never

from .. import ir
from . import fit, path_mtu
from .attribution import fit_plain
from .decapsulate import Decapsulation
from .frame import Did, Verdict
from .packet import DESTINATION_OPTIONS, ETHER, HEADER
from .run import Run

LIMIT = 8  # bytes of a destination options header that holds a tunnel encapsulation limit alone
UDP_HEADER = 8


def receive(run: Run) -> Verdict:
    ingress = run.machine.program.ingress
    if ingress is None:
        return Verdict.PASS
    for arrival in ingress.before:
        match arrival:
            case ir.Arrival.LEARN_PATH_MTU:
                path_mtu.learn(run)
            case ir.Arrival.FIT_SOCKETS:
                fit_plain(run)
            case ir.Arrival.FIT_ANSWERS:
                fit.arrives(run, run.family, 0)
            case _:
                raise AssertionError(f"{arrival}: nothing has been decapsulated yet")
    outer = _outer(run, ingress)
    if outer is None:
        return Verdict.PASS
    for decapsulation in ingress.decapsulations:
        if any(_looks_like(run, asked, outer) for asked in decapsulation.recognitions):
            header = next(o for o in decapsulation.outers if o.family == outer.family)
            run.step(Did.RECEIVED, header.stack.title, header.stack.name, header.stack.place)
            return Decapsulation(run, decapsulation, header, outer.extension, outer.protocol).verdict(ingress)
    return Verdict.PASS


class _Outer(NamedTuple):
    """The outermost header. `behind` is what its protocol names, `extension` the bytes of a limit before that."""

    family: str
    destination: bytes
    protocol: int
    later_fragment: bool
    extension: int
    behind: int


def _outer(run: Run, ingress: ir.IngressProgram) -> _Outer | None:
    """None: it has none, or options that make the packet somebody else's."""
    family = run.family
    head = bytes(run.data[ETHER : ETHER + HEADER.get(family, 0)])
    if family not in ingress.families or len(head) < HEADER[family]:
        return None
    if family == "ipv4":
        later = bool(int.from_bytes(head[6:8], "big") & 0x1FFF)
        return _Outer(family, head[16:20], head[9], later, 0, ETHER + (head[0] & 15) * 4)
    protocol, extension = head[6], 0
    if protocol == DESTINATION_OPTIONS:
        limit = bytes(run.data[ETHER + 40 : ETHER + 40 + LIMIT])
        # RFC 2473, section 4.1.1: the limit, padded by PadN (RFC 8200, section 4.2)
        if len(limit) < LIMIT or limit[1:4] != b"\0\4\1" or limit[5:8] != b"\1\1\0":
            return None
        protocol, extension = limit[0], LIMIT
    return _Outer(family, head[24:40], protocol, False, extension, ETHER + 40 + extension)


def _looks_like(run: Run, asked: ir.Recognition, outer: _Outer) -> bool:
    """By the outer protocol, the UDP port, our own address, and the bits that tell stacks of one port apart."""
    if outer.protocol not in asked.protocols or not any(_is_ours(run, own, outer) for own in asked.own):
        return False
    if asked.port is not None:
        udp = run.data[outer.behind : outer.behind + UDP_HEADER]
        # A later fragment shows no port. Without the first, which is refused, it is nothing.
        if outer.later_fragment or len(udp) < UDP_HEADER or int.from_bytes(udp[2:4], "big") != asked.port.number:
            return False
    return all(_has(run, mark, outer) for mark in asked.marks)


def _is_ours(run: Run, own: ir.OwnAddress, outer: _Outer) -> bool:
    if own.family != outer.family:
        return False
    match own.source:
        case ir.FromHost(member=member):
            return outer.destination == run.machine.facts.host[member]
        case ir.Literal(value=value):
            return int.from_bytes(outer.destination, "big") == value
        case _:
            assert_never(own.source)


def _has(run: Run, mark: ir.Mark, outer: _Outer) -> bool:
    at, size = outer.behind + mark.offset, mark.bits // 8
    word = run.data[at : at + size]
    return len(word) == size and int.from_bytes(word, "big") & mark.mask in mark.values

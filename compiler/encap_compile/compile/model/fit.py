"""Answers are made to fit: what a SYN that came in says of the segments that its sender takes is lowered."""

from __future__ import annotations

from typing import NamedTuple

from .. import ir
from .conditions import first_unmet
from .facts import any_address
from .frame import Did
from .mss import clamp, is_syn
from .packet import ETHER, HEADER, TCP, Packet
from .run import Run


class Ends(NamedTuple):
    """A connection's ends, as one of its packets shows them."""

    source: bytes
    destination: bytes
    source_port: int
    destination_port: int


def find_syn(run: Run, family: str) -> tuple[int, Ends] | None:
    """Where the TCP header of a SYN or SYN-ACK begins, right behind the IP header, and its ends."""
    head = run.data[ETHER : ETHER + HEADER.get(family, 0)]
    if not family or len(head) < HEADER[family]:
        return None
    if family == "ipv4":
        if head[9] != TCP or int.from_bytes(head[6:8], "big") & 0x1FFF:
            return None
        transport = ETHER + (head[0] & 15) * 4
        source, destination = any_address(bytes(head[12:16])), any_address(bytes(head[16:20]))
    else:
        if head[6] != TCP:
            return None
        transport = ETHER + 40
        source, destination = bytes(head[8:24]), bytes(head[24:40])
    if not is_syn(run, transport):
        return None
    ports = run.data[transport : transport + 4]
    return transport, Ends(source, destination, int.from_bytes(ports[:2], "big"), int.from_bytes(ports[2:4], "big"))


def arrives(run: Run, family: str, arrived: int) -> None:
    """A packet came in, in `arrived` bytes of headers or, with 0, without any."""
    fit = run.machine.program.fit
    found = find_syn(run, family)
    if fit is None or found is None:
        return
    transport, came = found
    answer = Ends(came.destination, came.source, came.destination_port, came.source_port)
    if fit.remembers and arrived:
        run.machine.arrivals[answer] = arrived
        run.step(Did.KEPT, "arrival", f"{arrived} bytes of headers")
    if fit.answers and family in run.machine.program.packet.families:
        overhead = _overhead_of_answer(run, fit, family, answer)
        if overhead and clamp(run, transport, family, overhead):
            run.count("ingress_mss_kept")


def _overhead_of_answer(run: Run, fit: ir.Fit, family: str, answer: Ends) -> int:
    """By how much the answer can grow, by the rules that it may meet. It shows addresses and ports alone."""
    machine = run.machine
    packet = Packet(family, answer.source, answer.destination, 0, 0, 0, 0, 0, protocol=0)
    packet.source_port, packet.destination_port = answer.source_port, answer.destination_port
    most = 0
    for rule in fit.answers:
        unmet = first_unmet(rule.conditions, packet, machine.program.packet, machine.facts, machine.constants.cgroups)
        if unmet is None:
            most = max(most, machine.constants.number(rule.overhead) if rule.overhead else 0)
            if rule.final:
                break
    return most


def leaves(run: Run) -> None:
    """A packet leaves. The answer to what came in by a tunnel: what follows will come in as many headers."""
    found = find_syn(run, run.family)
    overhead = run.machine.arrivals.get(found[1]) if found else None
    if found and overhead is not None and clamp(run, found[0], run.family, overhead):
        run.count("egress_mss_kept")

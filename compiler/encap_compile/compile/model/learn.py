"""What an ingress rule keeps of the headers that came in."""

from __future__ import annotations

from typing import assert_never

from .. import ir
from .encapsulate import has_addresses
from .facts import Value, any_address
from .flows import FRAGMENT_IDLE, Flow, Learned, find_key
from .mss import clamp, is_syn
from .packet import ETHER, TCP, Packet, SocketRecord
from .received import Received
from .run import Run

SEQUENCE_END = 12  # bytes of a TCP header up to the acknowledgement's end


def values(learn: ir.Learn, received: Received) -> dict[str, Value]:
    """By the members that hold them."""
    found: dict[str, Value] = {}
    for learned in learn.fields:
        field = learned.field if isinstance(learned, ir.LearnedField) else dict(learned.fields).get(received.family)
        if field is not None:  # else this family has none
            found[learned.member] = _value(learned.type, field, received)
    for option in learn.options:
        found[option.member] = received.options[option.option.member]
    if learn.variable is not None:
        at = ETHER + received.fixed + received.extension
        found[learn.variable.member] = bytes(received.data[at : at + received.variable])
    return found


def _value(type_: str, field: ir.ReceivedField, received: Received) -> Value:
    raw = received.raw(field.layer, field.word)
    if type_ == "ip":
        return any_address(raw)
    return raw if type_ in ("mac", "ipv4", "ipv6") else received.number(field)


def record(
    run: Run, packet: Packet, learn: ir.Learn, stack: ir.Stack, kept: dict[str, Value], received: Received
) -> None:
    """Keep them for the packets that answer, or for the packet itself as it goes on; and let both fit."""
    machine = run.machine
    key = find_key(run, packet, quoted=False)
    if machine.flows is None or key is None:
        return
    idle = machine.constants.number(f"IDLE_{learn.constant}")
    learned = Learned(learn.constant, stack.constant, kept)
    if ir.LearnFor.FORWARDED in learn.directions:
        flow = Flow(key, 0, learned, SocketRecord())
        machine.flows.learn(run, flow, idle if packet.transport else FRAGMENT_IDLE, may_change=True)
    if ir.LearnFor.REPLIES in learn.directions and packet.transport:  # what answers a fragment is no fragment of it
        flow = Flow(key.turned(), 0, learned, SocketRecord())
        if not machine.flows.learn(run, flow, idle, may_change=packet.protocol != TCP):
            if (packet.transport & 0x3FFF) + SEQUENCE_END <= len(run.data):  # and no connection here says otherwise
                machine.flows.learn(run, flow, idle, may_change=True)
            else:
                run.count("flows_disbelieved")
    if not machine.program.clamps or packet.protocol != TCP or not is_syn(run, packet.transport):
        return
    if clamp(run, packet.transport, packet.family, _overhead(run, learn, stack, received)):
        run.count("ingress_mss_kept")


def _overhead(run: Run, learn: ir.Learn, stack: ir.Stack, received: Received) -> int:
    """By how much a packet of the flow grows, the way that adds more."""
    grows = next(g for g in learn.grows if g.family == stack.outer_family)
    stacks = {e.stack.c_name: e.stack for e in run.machine.program.egress.encapsulators}
    growth = grows.usual if all(has_addresses(run, stacks[name]) for name in grows.guards) else grows.otherwise
    match growth:
        case ir.ByOverhead(constant):
            return run.machine.constants.number(constant) + (received.variable if learn.variable else 0)
        case ir.AsReceived():
            return received.fixed + received.variable + sum(x.size for x in stack.behind)
        case _:
            assert_never(growth)

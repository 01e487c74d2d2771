"""What an ingress rule keeps of the headers that came in."""

from __future__ import annotations

from .. import ir
from .encapsulate import has_addresses
from .facts import Value, any_address
from .flows import FRAGMENT_IDLE, Flow, Learned, find_key
from .mss import clamp, is_syn
from .packet import ETHER, TCP, Packet, SocketRecord
from .received import Received
from .run import Run

SEQUENCE_END = 12  # bytes of a TCP header up to the acknowledgement's end


def values(rule: ir.IngressRule, received: Received) -> dict[str, Value]:
    """By the members that hold them."""
    assert rule.learn is not None
    found: dict[str, Value] = {}
    for field in rule.learn.fields:
        raw = received.raw(field.layer, field.word)
        if field.type == "ip":
            found[field.member] = any_address(raw)
        elif field.type in ("mac", "ipv4", "ipv6"):
            found[field.member] = raw
        else:
            found[field.member] = received.number(field.layer, field.word, field.shift, field.bits)
    for learned in rule.learn.options:
        found[learned.member] = received.options[learned.option.member]
    if rule.learn.tail is not None:
        at = ETHER + received.fixed + received.extension
        found[rule.learn.tail.member] = bytes(received.data[at : at + received.tail])
    return found


def record(
    run: Run, packet: Packet, rule: ir.IngressRule, stack: ir.Stack, kept: dict[str, Value], received: Received
) -> None:
    """Keep them for the packets that answer, or for the packet itself as it goes on; and let both fit."""
    learn, machine = rule.learn, run.machine
    key = find_key(run, packet, quoted=False)
    if learn is None or machine.flows is None or key is None:
        return
    idle = machine.constants.number(f"IDLE_{learn.constant}")
    learned = Learned(learn.constant, stack.constant, kept)
    if "forwarded" in learn.directions:
        flow = Flow(key, 0, learned, SocketRecord())
        machine.flows.learn(run, flow, idle if packet.transport else FRAGMENT_IDLE, may_change=True)
    if "replies" in learn.directions and packet.transport:  # what answers a fragment is no fragment of it
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
    larger = learn.larger
    if learn.guards:
        stacks = {e.stack.c_name: e.stack for e in run.machine.program.egress.encapsulators}
        larger = larger if all(has_addresses(run, stacks[name]) for name in learn.guards) else learn.otherwise
    if larger:
        return run.machine.constants.number(larger) + (received.tail if learn.tail else 0)
    behind = [x.size for x in stack.layers if stack.tail and x.member in stack.tail.behind]
    return received.fixed + received.tail + sum(behind)

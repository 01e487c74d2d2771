"""Headers in front of a packet, by the reference encoder of the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from .. import ir
from ..headers.catalogue import headers
from ..headers.encode import FieldValue, encode
from ..headers.model import FromSpec, NextProtocol
from . import too_big
from .checksum import changed
from .entropy import flow_hash
from .facts import Value
from .frame import Did, Sent, Verdict
from .mss import clamp, is_syn
from .packet import ETHER, TCP, TRANSPORT_MOST, Packet
from .path_mtu import path_mtu
from .run import Run
from .segmenting import unsegmentable

ETHER_TYPE = {"ipv4": 0x0800, "ipv6": 0x86DD}
UDP_HEADER = 8
RELIED_ON = {"ipv4": 552, "ipv6": 1280}  # MTUs below which hosts do not go: net.ipv4.route.min_pmtu, RFC 8201
LONGEST = 0xFFFF  # a length that is more is sent as zero, as the kernel does before segmentation (BIG TCP)
ZEROS = {"ip": bytes(16), "ipv4": bytes(4), "ipv6": bytes(16), "mac": bytes(6)}


def dispatch(run: Run, packet: Packet, function: ir.Dispatch, case: str, values: Mapping[str, Value]) -> Verdict:
    """Encapsulate with what a row says, or what came in: `case` is the constant of the stack that it names."""
    ways = function.encapsulators
    ways = tuple(e for e in ways if e.case == case) if function.by_row else ways[:1]
    way = next((e for e in ways if not e.guarded or has_addresses(run, e.stack)), None)
    if way is None:
        run.count("egress_unknown_stack")
        return Verdict.DROP
    return _encapsulate(run, packet, way, values)


def has_addresses(run: Run, stack: ir.Stack) -> bool:
    """Whether the host has its own addresses for the stack."""
    parts = [p for w in stack.layers[0].words for p in w.parts if p.name in ("source", "destination")]
    members = [p.source.member for p in parts if isinstance(p.source, ir.FromHost)]
    return all(any(_bytes(run.machine.facts.host[m])) for m in members)


def _bytes(value: Value) -> bytes:
    return value if isinstance(value, bytes) else value.to_bytes(8, "big")


def _encapsulate(run: Run, packet: Packet, way: ir.Encapsulator, values: Mapping[str, Value]) -> Verdict:
    stack = way.stack
    opaque = stack.variable if stack.variable is not None and stack.variable.options is None else None
    kept = values.get(opaque.member, b"") if opaque else b""
    assert isinstance(kept, bytes)
    overhead = stack.overhead + len(kept)
    if stack.per_segment and run.frame.gso_size:
        run.step(Did.CHECKED, "per segment", stack.per_segment)
        run.count("egress_gso")
        return Verdict.DROP
    mtu = path_mtu(run, _endpoint(run, packet, stack, values))
    if way.clamp and packet.protocol == TCP and is_syn(run, packet.transport):
        larger = run.machine.constants.number(way.larger) + len(kept) if way.larger else overhead
        if clamp(run, packet.transport, packet.family, larger, mtu):
            run.count("egress_mss_kept")
    relied_on = overhead + RELIED_ON[packet.family]
    fragmentable = stack.outer_family == "ipv4" and mtu < min(relied_on, run.mtu)
    if fragmentable:
        mtu = min(relied_on, run.mtu)
    lost = unsegmentable(run, packet)
    if lost:
        run.step(Did.CHECKED, "segmentation", lost.why)
        run.count(lost.counter)
        return Verdict.DROP
    if not _fits(run, packet, overhead, mtu):
        run.step(Did.CHECKED, "mtu", f"{packet.length} + {overhead} bytes, and {mtu} is the most")
        if packet.family == "ipv6" and mtu < min(relied_on, run.mtu):
            run.count("egress_path_too_small")
            return Verdict.DROP
        run.count("egress_too_big")
        if packet.family == "ipv4" and not run.data[ETHER + 6] & 0x40:
            run.count("egress_without_df")
        if run.machine.program.egress.too_big is ir.TooBig.DROP:
            return Verdict.DROP
        return too_big.answer(run, packet, mtu - overhead)
    if run.helper_refuses():
        run.count("egress_no_headroom")
        return Verdict.DROP
    given = [(layer.header, _given(run, packet, layer, stack, values)) for layer in stack.layers]
    inner = bytes(run.data[ETHER:])
    outer = encode(given, inner)[: -len(inner)]
    assert len(outer) == overhead, (stack.name, len(outer), overhead)
    if fragmentable:
        outer = _without_df(outer)
    ether = run.data[:12]
    next_hop = ir.NextHop.ROUTE if run.on_route_device else run.machine.program.egress.next_hop
    if next_hop is ir.NextHop.ROUTE:
        ether[0] &= 0xFE  # frames to a group are lost
    type_ = ETHER_TYPE[stack.outer_family].to_bytes(2, "big")
    run.data = bytearray(bytes(ether) + type_ + outer + inner)
    shown = {layer.member: fields for layer, (_, fields) in zip(stack.layers, given, strict=True)}
    run.sent = Sent(stack, shown, outer)
    run.step(Did.SENT, stack.title, f"{overhead} bytes", stack.place)
    run.add(run.chosen, packet.length)
    match next_hop:
        case ir.NextHop.KEEP:
            return Verdict.PASS
        case ir.NextHop.ROUTE:
            run.count("egress_next_hop_fallback")  # the model has no routes
            return Verdict.REDIRECT
        case _:
            assert_never(next_hop)


def _without_df(outer: bytes) -> bytes:
    """An IPv4 header that lets routers fragment. The program gives it a random ID, the model 0."""
    checksum = changed(int.from_bytes(outer[10:12], "big"), 0x4000, 0)
    return outer[:6] + bytes(2) + outer[8:10] + checksum.to_bytes(2, "big") + outer[12:]


def _endpoint(run: Run, packet: Packet, stack: ir.Stack, values: Mapping[str, Value]) -> bytes:
    """The outer destination."""
    part = next(p for w in stack.layers[0].words for p in w.parts if p.name == "destination")
    value = _value(run, packet, part, values)
    if isinstance(value, bytes):
        return value
    assert isinstance(value, int)
    return value.to_bytes(part.bits // 8, "big")


def _fits(run: Run, packet: Packet, overhead: int, mtu: int) -> bool:
    """Datagrams keep their boundaries; TCP's segments may be cut smaller, if they fitted before."""
    size = run.frame.gso_size
    transport = packet.transport & TRANSPORT_MOST
    if not size:
        return packet.length + overhead <= mtu
    if not transport:
        return False
    before = transport - ETHER
    if packet.protocol != TCP:
        return before + UDP_HEADER + size + overhead <= mtu
    if transport + 12 >= len(run.data):
        return False
    return before + (run.data[transport + 12] >> 4) * 4 + size <= mtu


# ---- values ----------------------------------------------------------------------------------------------------------


def _given(
    run: Run, packet: Packet, layer: ir.Layer, stack: ir.Stack, values: Mapping[str, Value]
) -> Mapping[str, FieldValue]:
    """What the spec says of a header's fields. What its protocol says is the encoder's to know."""
    header = headers()[layer.header]
    found: dict[str, FieldValue] = {}
    for word in layer.words:
        for part in word.parts:
            field = header.field(part.name)
            source = part.source
            if isinstance(source, ir.LengthFrom) and _length(run, source, stack, values) > LONGEST:
                found[part.name] = 0
            if isinstance(field.role, FromSpec) or (isinstance(field.role, NextProtocol) and field.role.settable):
                found[part.name] = _value(run, packet, part, values)
    if stack.variable is not None and stack.variable.layer == layer.member and header.variable is not None:
        if stack.variable.options is None:
            kept = values.get(stack.variable.member, b"")
            assert isinstance(kept, bytes)
            found[header.variable.name] = kept
        else:
            found[header.variable.name] = [_option(run, o, values) for o in stack.variable.options.options]
    return found


def _length(run: Run, source: ir.LengthFrom, stack: ir.Stack, values: Mapping[str, Value]) -> int:
    layer = next(x for x in stack.layers if x.member == source.layer)
    before = layer.offset + (layer.size if source.payload else 0)
    kept = values.get(stack.variable.member, b"") if stack.variable is not None and not stack.variable.options else b""
    assert isinstance(kept, bytes)
    return len(run.data) - ETHER + stack.overhead + len(kept) - before


def _value(run: Run, packet: Packet, part: ir.Part, values: Mapping[str, Value]) -> FieldValue:
    source = part.source
    if isinstance(source, ir.Literal):
        return source.value
    if isinstance(source, ir.FromHost):
        return run.machine.facts.host[source.member]
    if isinstance(source, ir.FromRow):
        value = values.get(source.member, ZEROS.get(source.type, 0))
        return value[-part.bits // 8 :] if isinstance(value, bytes) else value
    if isinstance(source, ir.FromInner):
        return {"dscp": packet.dscp, "ecn": packet.ecn, "ttl": packet.ttl, "mark": packet.mark}[source.what]
    if isinstance(source, ir.FromFlow):
        hash_ = flow_hash(run, packet)
        return (
            source.first + (hash_ * (source.last - source.first + 1) >> 32) if source.last else hash_ >> 32 - part.bits
        )
    if isinstance(source, ir.ByInnerFamily):
        return source.ipv4 if packet.family == "ipv4" else source.ipv6
    raise TypeError(source)


def _option(run: Run, option: ir.Option, values: Mapping[str, Value]) -> tuple[int, int, bytes]:
    source, size = option.source, 4 * option.words
    value: Value
    if isinstance(source, ir.Literal):
        value = source.value
    elif isinstance(source, ir.FromHost):
        value = run.machine.facts.host[source.member]
    else:
        assert isinstance(source, ir.FromRow)
        value = values.get(source.member, 0)
    data = value if isinstance(value, bytes) else value.to_bytes(size, "big")
    return option.head >> 16, option.head >> 8 & 0xFF, data

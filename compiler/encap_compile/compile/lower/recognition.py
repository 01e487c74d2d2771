"""How a packet that comes in is known to carry a stack, and how stacks of one protocol and port are told apart."""

from __future__ import annotations

from collections.abc import Sequence

from .. import ir
from ..headers import catalogue
from ..headers.model import Space
from ..resolved import Resolved
from ..resolved.known_bits import Known, difference, known_bits, unit
from .word_checks import port_layer


def signature(stack: ir.Stack) -> ir.Signature:
    """How the stack is distinguished from others: by its outer protocol, and its UDP destination port."""
    return ir.Signature(stack.outer_family, _protocols(stack), _port(stack))


def recognitions(
    resolved: Resolved, stacks: Sequence[ir.Stack], received: Sequence[ir.Stack]
) -> tuple[ir.Recognition, ...]:
    """Those of one encapsulation: one for both families, if what they ask differs in our own address alone.

    `received` are the stacks of all encapsulations that come in, in the order in which they are asked for.
    """
    found: dict[object, list[ir.Stack]] = {}
    for stack in stacks:
        marks = _marks(resolved, stack, received[received.index(stack) + 1 :])
        found.setdefault((_protocols(stack), marks), []).append(stack)
    return tuple(
        ir.Recognition(
            name=those[0].c_name,
            protocols=_protocols(those[0]),
            port=_port(those[0]),
            own=tuple(_own_address(stack) for stack in those),
            marks=_marks(resolved, those[0], received[received.index(those[0]) + 1 :]),
        )
        for those in found.values()
    )


def next_source(layer: ir.Layer) -> ir.Source:
    """What a header says that follows it."""
    field = catalogue.headers()[layer.header].next_protocol()
    assert field is not None
    return next(p.source for w in layer.words for p in w.parts if p.name == field.name)


def announced(space: str) -> tuple[int, int]:
    """The numbers of IPv4 and IPv6."""
    ipv4, ipv6 = (catalogue.headers()[family].announced_as[space] for family in catalogue.FAMILIES)
    return ipv4, ipv6


def _protocols(stack: ir.Stack) -> tuple[int, ...]:
    first, *rest = stack.layers
    number = next_source(first)
    if rest and isinstance(number, ir.Literal):
        return (number.value,)
    return tuple(sorted(announced(Space.IP_PROTOCOL)))


def _port(stack: ir.Stack) -> ir.Port | None:
    transport = port_layer(stack)
    if transport is None:
        return None
    source = next_source(transport)
    assert isinstance(source, ir.Literal)
    return ir.Port(source.value, next(w.constant for w in transport.words if any(p.source is source for p in w.parts)))


def _port_number(stack: ir.Stack) -> int | None:
    port = _port(stack)
    return port.number if port else None


def _own_address(stack: ir.Stack) -> ir.OwnAddress:
    word = next(w for w in stack.layers[0].words for p in w.parts if p.name == "source")
    source = next(p.source for p in word.parts if p.name == "source")
    assert isinstance(source, ir.FromHost | ir.Literal), "checks.host_values refuses others on receive"
    return ir.OwnAddress(stack.outer_family, source, word.constant)


def _marks(resolved: Resolved, stack: ir.Stack, later: Sequence[ir.Stack]) -> tuple[ir.Mark, ...]:
    """What distinguishes a stack from those that otherwise look the same and come after it."""
    found: dict[ir.Mark, None] = {}
    for other in later:
        if not _looks_like(stack, other):
            continue
        known = [known_bits(resolved.encapsulations[s.encapsulation].written, s.outer_family) for s in (stack, other)]
        bits = difference(*known)
        assert bits is not None, "checks.indistinct refuses two that nothing distinguishes"
        found[_mark(bits)] = None
    return tuple(found)


def _looks_like(one: ir.Stack, other: ir.Stack) -> bool:
    mine, theirs = ((_own_address(s).source, s.outer_family, _port_number(s)) for s in (one, other))
    return mine == theirs and bool(set(_protocols(one)) & set(_protocols(other)))


def _mark(known: Known) -> ir.Mark:
    width = unit(known)
    shift = width - known.first % width - known.bits
    values = tuple(sorted(value << shift for value in known.values))
    return ir.Mark(known.first // width * width // 8, width, ((1 << known.bits) - 1) << shift, values, known.what)

"""What must be right in the headers that came in, where the inner packet is named, and where a field stands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .. import ir
from ..headers import catalogue
from ..headers.model import InternetChecksum, NextProtocol, Receive
from .recognition import announced
from .word_checks import refusal_of, word_checks


class Validated(NamedTuple):
    """What is validated of a stack: of its outer header, and of those behind it."""

    outer: ir.OuterHeader
    checks: tuple[ir.WordCheck, ...]
    lengths: tuple[ir.LengthCheck, ...]
    checksums: tuple[ir.ChecksumCheck, ...]


def validated(stack: ir.Stack) -> Validated:
    first = stack.layers[0]
    inner = inner_name(stack)
    named_by = catalogue.headers()[stack.layers[-1].header].next_protocol()
    by_header = "" if isinstance(inner, ir.NamedByItself) or named_by is None else named_by.name
    checks = word_checks(stack, by_header)
    length, *lengths = _lengths(stack)
    return Validated(
        outer=ir.OuterHeader(
            stack=stack,
            checks=tuple(check for check in checks if check.layer == first.member),
            length=length,
            checksum=bool(first.checksum_base),
        ),
        checks=tuple(check for check in checks if check.layer != first.member),
        lengths=tuple(lengths),
        checksums=tuple(check for layer in stack.layers[1:] for check in _checksums(layer)),
    )


def inner_name(stack: ir.Stack) -> ir.InnerName:
    """Where a packet of the stack says whether an IPv4 or an IPv6 packet is inside."""
    last = stack.layers[-1]
    field = catalogue.headers()[last.header].next_protocol()
    if stack.bare:
        return ir.NamedByItself(ir.ByInnerFamily(4, 6))
    assert field is not None and isinstance(field.role, NextProtocol)
    numbers = ir.ByInnerFamily(*announced(field.role.space), field.role.space)
    if last is stack.layers[0]:
        return ir.NamedByOuter(numbers)
    return ir.NamedByField(received_field(last, field.name), numbers, field.role.tagged)


def received_field(layer: ir.Layer, name: str) -> ir.ReceivedField:
    word, part = next((w, p) for w in layer.words for p in w.parts if p.name == name)
    return ir.ReceivedField(layer.member, word.name, word.bits, part.shift, part.bits)


def _checksums(layer: ir.Layer) -> Iterator[ir.ChecksumCheck]:
    header = catalogue.headers()[layer.header]
    for word in header.words:
        for field in word.fields:
            if isinstance(field.role, InternetChecksum) and field.receive is Receive.VERIFY:
                yield ir.ChecksumCheck(layer.member, layer.size, refusal_of(layer, word, field.refusal))


def _lengths(stack: ir.Stack) -> list[ir.LengthCheck]:
    """The outermost first: with it, the others must agree."""
    return [
        ir.LengthCheck(layer.member, word.name, part.source.payload)
        for layer in stack.layers
        for word in layer.words
        for part in word.parts
        if isinstance(part.source, ir.LengthFrom)
    ]

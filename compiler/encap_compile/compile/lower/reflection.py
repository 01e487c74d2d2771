"""Reflection: the stacks that answer what came in, with the values that were received."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .. import ir
from ..headers import catalogue
from ..headers.model import Header, Receive
from ..resolved import EgressRule
from .stacks import received_value
from .variable_parts import received_option


class Answers(NamedTuple):
    """What answers a packet that came in `arriving`: the first of the `stacks` whose own addresses the host has."""

    arriving: ir.Stack
    stacks: tuple[ir.Stack, ...]


def answers(rule: EgressRule, stacks: Sequence[ir.Stack]) -> list[Answers]:
    """For each stack in which a packet can come in, those of the reply: of the same family where there is one.

    Where the host says the destination, a host that has no address of that family takes the other one.
    """
    assert rule.reflect is not None
    arriving = [s for s in stacks if s.encapsulation == rule.reflect.rule.decapsulate.name]
    replies = [mirrored(s) for s in stacks if s.encapsulation == rule.reflect.encapsulation.name]
    found = []
    for came in arriving:
        first = next((r for r in replies if r.outer_family == came.outer_family), replies[0])
        others = tuple(r for r in replies if r is not first) if to_host_value(first) else ()
        found.append(Answers(came, (first, *others)))
    return found


def to_host_value(stack: ir.Stack) -> bool:
    """Whether the outer destination is a host value's."""
    parts = [p for w in stack.layers[0].words for p in w.parts]
    return any(p.name == "destination" and isinstance(p.source, ir.FromHost) for p in parts)


def mirrored(stack: ir.Stack) -> ir.Stack:
    """A stack as an answer to itself: what a row gave comes from what was received in its place."""
    return stack._replace(segments=tuple(_mirrored(segment, stack.outer_family) for segment in stack.segments))


def _mirrored(segment: ir.Segment, family: str) -> ir.Segment:
    if isinstance(segment, ir.FixedSegment):
        return segment._replace(layers=tuple(_mirrored_layer(layer, family) for layer in segment.layers))
    if segment.options is None:
        return segment
    options = tuple(
        o._replace(source=received_option(segment.layer, o.name, o.words)) if isinstance(o.source, ir.FromRow) else o
        for o in segment.options.options
    )
    return segment._replace(options=segment.options._replace(options=options))


def _mirrored_layer(layer: ir.Layer, family: str) -> ir.Layer:
    header = catalogue.headers()[layer.header]
    words = []
    for word in layer.words:
        parts = tuple(
            part._replace(source=_answer(layer.member, header, part.name, part.source, family)) for part in word.parts
        )
        words.append(word._replace(parts=parts))
    return layer._replace(words=tuple(words))


def _answer(member: str, header: Header, field: str, source: ir.Source, family: str) -> ir.Source:
    if not isinstance(source, ir.FromRow) or source.received:
        return source
    if header.name in catalogue.FAMILIES:
        own = counterpart(header, field)
        word = next((word for word, names in catalogue.IP_FIELDS.items() if names[header.name] == own), own)
        return received_value("ip", header, word, family)
    return received_value(member, header, counterpart(header, field), family)


def counterpart(header: Header, field: str) -> str:
    """The field of a received header whose value an answer has in `field`: source and destination change places."""
    for f in header.fields():
        if f.receive is Receive.EXCHANGE and f.name == field:
            return f.peer
        if f.receive is Receive.EXCHANGE and f.peer == field:
            return f.name
    return field

"""Reflection: what an ingress rule keeps of the headers that came in, and the stacks that put it on the replies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .. import ir
from ..headers import catalogue
from ..headers.model import Header, Receive
from ..resolved import EgressRule, IngressRule, Resolved
from .c_names import c_name
from .received import received_field
from .stacks import received_value
from .structs import VALUE_TYPES
from .tables import row_id
from .variable_parts import option_of, received_option, word_count, words

WAYS = 16  # flows of a bucket, as in encap_flows.h
OPENING = 60_000_000_000  # ns: longer than between two SYN-ACKs (RFC 6298, section 5), as long as the shortest `idle`
LOAD = 8  # of them when the table holds its capacity: then 4 of 1000 buckets have more flows than ways (Poisson)
DIRECTIONS = {"replies": ("replies",), "forwarded": ("forwarded",), "both": ("replies", "forwarded")}


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


def kept(stacks: Iterable[ir.Stack]) -> dict[str, tuple[str, str]]:
    """What the replies need: member -> (type, HEADER.FIELD of what is received)."""
    found = {}
    for stack in stacks:
        for layer in stack.layers:
            for word in layer.words:
                for part in word.parts:
                    if isinstance(part.source, ir.FromRow) and part.source.received:
                        found[part.source.member] = part.source.type, part.source.received
        if stack.variable is not None and stack.variable.options is None:
            found[stack.variable.member] = words(stack.variable.most // 4), stack.variable.received
        for option in stack.variable.options.options if stack.variable and stack.variable.options else ():
            if isinstance(option.source, ir.FromRow) and option.source.received:
                found[option.source.member] = option.source.type, option.source.received
    return found


def learn(rule: IngressRule, arriving: Sequence[ir.Stack], replies: Sequence[ir.Stack]) -> ir.Learn:
    """What `rule` keeps of a packet that came in any of `arriving`, for all that reflect it.

    These are of one encapsulation, and differ in the outer header alone.
    """
    assert rule.learn is not None
    fields: dict[str, ir.LearnedField | ir.LearnedOuterField] = {}
    for stack in arriving:
        for member, (type_, received) in kept(replies).items():
            header, name = received.split(".")
            if word_count(type_):
                continue
            if header == "ip":
                _add_outer(fields, member, type_, name, stack)
                continue
            layer = _layer(stack, header)
            if layer is not None and any(p.name == name for w in layer.words for p in w.parts):
                fields.setdefault(member, ir.LearnedField(member, type_, received_field(layer, name)))
    options, variable = _variable(arriving[0], replies)
    return ir.Learn(
        constant(rule.name),
        tuple(ir.LearnFor(direction) for direction in DIRECTIONS[rule.learn.direction]),
        tuple(fields.values()),
        options,
        variable,
        tuple(_grows(stack, replies) for stack in arriving),
    )


def _add_outer(
    fields: dict[str, ir.LearnedField | ir.LearnedOuterField], member: str, type_: str, name: str, stack: ir.Stack
) -> None:
    layer = stack.layers[0]
    own = catalogue.IP_FIELDS.get(name, {}).get(layer.header, name)
    if not any(p.name == own for w in layer.words for p in w.parts):
        return  # only the other family has such a field
    known = fields.get(member)
    by_family = known.fields if isinstance(known, ir.LearnedOuterField) else ()
    by_family = (*by_family, (stack.outer_family, received_field(layer, own)))
    fields[member] = ir.LearnedOuterField(member, type_, ir.OuterWord(name), by_family)


def _variable(
    arriving: ir.Stack, replies: Sequence[ir.Stack]
) -> tuple[tuple[ir.LearnedOption, ...], ir.BoundedSegment | None]:
    """What is kept of a header's variable-length part."""
    options = []
    variable = None
    for member, (type_, received) in kept(replies).items():
        if not word_count(type_):
            continue
        option = option_of(arriving, *received.split("."))
        if option is not None:
            options.append(ir.LearnedOption(member, option))
        elif arriving.variable is not None and arriving.variable.options is None:
            variable = arriving.variable
    return tuple(options), variable


def _grows(arriving: ir.Stack, replies: Sequence[ir.Stack]) -> ir.Grows:
    own = [r for r in replies if r.outer_family == arriving.outer_family] or replies
    guarded = {r.c_name for r in own if to_host_value(r) and any(_of_other_family(r, other) for other in replies)}
    usual, otherwise = _largest(own, arriving), _largest(replies, arriving)
    guards = tuple(sorted(guarded)) if otherwise != usual else ()
    return ir.Grows(arriving.outer_family, usual, guards, otherwise if guards else usual)


def _of_other_family(one: ir.Stack, other: ir.Stack) -> bool:
    return one.encapsulation == other.encapsulation and one.outer_family != other.outer_family


def _largest(replies: Sequence[ir.Stack], arriving: ir.Stack) -> ir.Growth:
    name = larger(max(replies, key=lambda r: r.overhead, default=arriving), arriving)
    return ir.ByOverhead(name) if name else ir.AsReceived()


def larger(one: ir.Stack, other: ir.Stack) -> str:
    """The constant of `one`'s overhead, if that is more than the other's. What is kept stands in both."""
    return one.overhead_constant if one.overhead > other.overhead else ""


def _layer(stack: ir.Stack, member: str) -> ir.Layer | None:
    return next((layer for layer in stack.layers if layer.member == member), None)


def constant(rule: str) -> str:
    return f"LEARN_{c_name(rule)}".upper()


def flow_table(ingress: ir.IngressProgram | None, replies: Iterable[ir.Stack]) -> ir.FlowTable:
    """What the ingress rules keep for all replies together."""
    rules = {r.name: r for r in (ingress.rules if ingress else ()) if r.learn}.values()
    members = [
        ir.StructMember(member, "__be32", f"received.{received}", array=word_count(type_))
        if word_count(type_)
        else ir.StructMember(member, VALUE_TYPES[type_].ctype, f"received.{received}")
        for member, (type_, received) in kept(replies).items()
    ]
    members.sort(key=lambda m: ALIGNMENT.get(m.ctype, 0), reverse=True)
    return ir.FlowTable(tuple(padded(members)), tuple(rules), WAYS, OPENING)


ALIGNMENT = {t.ctype: t.align for t in VALUE_TYPES.values()}
SIZES = {t.ctype: t.size for t in VALUE_TYPES.values()}


def padded(members: Sequence[ir.StructMember]) -> list[ir.StructMember]:
    """Padding to whole words by name: flows are compared word by word."""
    size = sum(SIZES[m.ctype] * (m.array or 1) for m in members)
    rest = -size % 4
    return [*members, *([ir.StructMember("pad", "__u8", array=rest)] if rest else [])]


def flow_constants(resolved: Resolved) -> ir.ConstantGroup:
    """The table's size, and per rule its number and its timeout."""
    rules = resolved.learning
    capacity = sum(r.learn.capacity * len(DIRECTIONS[r.learn.direction]) for r in rules if r.learn)
    if resolved.attributing:
        remember = resolved.spec.egress.remember
        assert remember is not None
        capacity += remember.capacity
    buckets = -(-capacity // LOAD)
    found = [
        ir.NamedConstant("FLOW_BUCKETS", str(buckets), f"for {capacity} flows"),
    ]
    for rule in rules:
        assert rule.learn is not None
        name, place = constant(rule.name), f"{rule.path}.learn"
        found.append(ir.NamedConstant(name, f"{row_id(rule.name):#010x}", f"FNV-1a of the rule's name, {place}"))
        found.append(
            ir.NamedConstant(f"IDLE_{name}", f"{rule.learn.idle}ULL", f"ns: {rule.learn.idle / 1e9:g} s, {place}")
        )
    title = "What is learned, how much of it, and for how long." if rules else "How many connections are remembered."
    return ir.ConstantGroup(title, tuple(found))

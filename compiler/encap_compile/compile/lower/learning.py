"""What an ingress rule keeps of the headers that came in, for the packets that reflect them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .. import ir
from ..headers import catalogue
from ..resolved import IngressRule
from .c_names import c_name
from .received import received_field
from .reflection import to_host_value
from .variable_parts import option_of, word_count, words

DIRECTIONS = {
    "replies": (ir.LearnFor.REPLIES,),
    "forwarded": (ir.LearnFor.FORWARDED,),
    "both": (ir.LearnFor.REPLIES, ir.LearnFor.FORWARDED),
}


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
        DIRECTIONS[rule.learn.direction],
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

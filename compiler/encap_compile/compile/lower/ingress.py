"""From the ingress rules to the ingress program: how a stack is recognised, what must be right in it, who may send."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from .. import ir
from ..headers import catalogue
from ..headers.model import Field, Header, NextProtocol, Space
from ..resolved.known_bits import Known, difference, known_bits, unit
from ..resolved.matches import INLINE_PREFIXES
from ..spec import Addresses, AnySource, IngressRule, Prefix, Reference, Scalar, Spec, TableField
from .c_names import c_name
from .conditions import Conditions, hidden_by_fragments
from .reflection import learn
from .stacks import host_value
from .tails import option_of
from .tunnel_endpoints import address_map_name
from .word_checks import port_layer, word_checks

FAMILIES = catalogue.FAMILIES
IP_VERSIONS = ir.ByInnerFamily(4, 6)


def signature(stack: ir.Stack) -> ir.Signature:
    """How the stack is distinguished from others: by its outer protocol, and its UDP destination port."""
    first, rest = stack.layers[0], stack.layers[1:]
    number = _next_source(first)
    protocols = (number.value,) if isinstance(number, ir.Literal) else tuple(sorted(_announced(Space.IP_PROTOCOL)))
    if not rest:
        protocols = tuple(sorted(_announced(Space.IP_PROTOCOL)))
    port, constant = -1, ""
    transport = port_layer(stack)
    if transport is not None:
        source = _next_source(transport)
        assert isinstance(source, ir.Literal)
        port = source.value
        constant = next(w.constant for w in transport.words if any(p.source is source for p in w.parts))
    return ir.Signature(stack.outer_family, protocols, port, constant, stack.encapsulation)


def _announced(space: str) -> list[int]:
    return [catalogue.headers()[f].announced_as[space] for f in FAMILIES]


def _next_field(header: Header) -> Field | None:
    return header.next_protocol()


def _next_source(layer: ir.Layer) -> ir.Source:
    field = _next_field(catalogue.headers()[layer.header])
    assert field is not None
    return next(p.source for w in layer.words for p in w.parts if p.name == field.name)


def lower_ingress(
    spec: Spec,
    stacks: Sequence[ir.Stack],
    conditions: Conditions,
    replies: Mapping[str, Sequence[ir.Stack]],
    clamps: bool,
    fits_plain: bool,
) -> ir.IngressProgram | None:
    """`replies`: the stacks that reflect each ingress rule; `clamps`: the answers to what sockets choose must fit,
    `fits_plain`: those that a rule encapsulates."""
    if not spec.ingress.rules and not clamps and not fits_plain:
        return None
    wanted = {rule.decapsulate for rule in spec.ingress.rules}
    received = [stack for stack in stacks if stack.encapsulation in wanted]
    return ir.IngressProgram(
        function=f"{c_name(spec.name)}__ingress",
        refuse=spec.ingress.refuse,
        decapsulators=tuple(
            _decapsulator(spec, stack, conditions, replies, clamps, _marks(spec, stack, received[position + 1 :]))
            for position, stack in enumerate(received)
        ),
        clamps=clamps,
        fits_plain=fits_plain,
        family_change="flags" if spec.kernel >= (6, 3) else "reinject",
    )


def _decapsulator(
    spec: Spec,
    stack: ir.Stack,
    conditions: Conditions,
    replies: Mapping[str, Sequence[ir.Stack]],
    clamps: bool,
    marks: tuple[ir.Mark, ...],
) -> ir.Decapsulator:
    rules = tuple(r for r in spec.ingress.rules if r.decapsulate == stack.encapsulation)
    looked_up = any(r.lookup for r in rules)
    names_inner = None if stack.bare else _next_part(stack.layers[-1])
    own = _own_address(stack)
    lowered = tuple(_rule(spec, r, stack, conditions, replies.get(r.name, ())) for r in rules)
    return ir.Decapsulator(
        function=f"decapsulate_{stack.c_name}",
        stack=stack,
        signature=signature(stack),
        own_address=own,
        checks=tuple(word_checks(stack, names_inner.part if names_inner else "")),
        lengths=tuple(_lengths(stack)),
        checksum_layer=next((layer.member for layer in stack.layers if layer.checksum_base), ""),
        identifiers=tuple(_identifiers(spec, rules, stack)) if looked_up else (),
        rules=lowered,
        next_layer=stack.layers[-1].member if names_inner else "",
        next_word=names_inner.word if names_inner else "",
        next_word_bits=names_inner.word_bits if names_inner else 0,
        next_shift=names_inner.shift if names_inner else 0,
        next_bits=names_inner.bits if names_inner else 0,
        next_numbers=names_inner.numbers if names_inner else IP_VERSIONS,
        ecn_layer=stack.layers[0].member,
        any_match=any(r.match for r in lowered) or any(r.learn for r in lowered) or clamps,
        encapsulation_limit=stack.outer_family == "ipv6",
        tagged=names_inner is not None and names_inner.tagged,
        marks=marks,
        learns=any(r.learn for r in lowered),
        fragments=any(hidden_by_fragments(r.match, conditions.families) for r in lowered),
    )


def _marks(spec: Spec, stack: ir.Stack, later: Sequence[ir.Stack]) -> tuple[ir.Mark, ...]:
    """What distinguishes a stack from those that look the same to its signature and come after it."""
    mine, own = signature(stack), _own_address(stack)
    found: dict[ir.Mark, None] = {}
    for other in later:
        theirs = signature(other)
        same = (mine.family, mine.port, own) == (theirs.family, theirs.port, _own_address(other))
        if not same or not set(mine.protocols) & set(theirs.protocols):
            continue
        known = [known_bits(spec.encapsulations[s.encapsulation], s.outer_family) for s in (stack, other)]
        bits = difference(*known)
        assert bits is not None, "checks.indistinct refuses two that nothing distinguishes"
        found[_mark(bits)] = None
    return tuple(found)


def _own_address(stack: ir.Stack) -> ir.Source:
    return next(p.source for w in stack.layers[0].words for p in w.parts if p.name == "source")


def _mark(known: Known) -> ir.Mark:
    width = unit(known)
    shift = width - known.first % width - known.bits
    values = tuple(sorted(value << shift for value in known.values))
    return ir.Mark(known.first // width * width // 8, width, ((1 << known.bits) - 1) << shift, values, known.what)


class _NamesInner(NamedTuple):
    """Where the last header names the inner packet."""

    part: str
    word: str
    word_bits: int
    shift: int
    bits: int
    numbers: ir.ByInnerFamily
    tagged: bool


def _next_part(last: ir.Layer) -> _NamesInner:
    field = _next_field(catalogue.headers()[last.header])
    assert field is not None and isinstance(field.role, NextProtocol)
    word, part = next((w, p) for w in last.words for p in w.parts if p.name == field.name)
    ipv4, ipv6 = _announced(field.role.space)
    numbers = ir.ByInnerFamily(ipv4, ipv6, field.role.space)
    return _NamesInner(field.name, word.name, word.bits, part.shift, part.bits, numbers, field.role.tagged)


def _lengths(stack: ir.Stack) -> list[ir.LengthCheck]:
    return [
        ir.LengthCheck(layer.member, word.name, part.source.payload)
        for layer in stack.layers
        for word in layer.words
        for part in word.parts
        if isinstance(part.source, ir.LengthFrom)
    ]


def _identifiers(spec: Spec, rules: Sequence[IngressRule], stack: ir.Stack) -> list[ir.Identifier]:
    found: dict[str, ir.Identifier] = {}
    for rule in rules:
        if rule.lookup is None:
            continue
        _, header_name, field_name = spec.endpoints[rule.lookup].key[0].split(".")
        option = option_of(stack, header_name, field_name)
        if option is not None:
            bits = 32 * option.words
            found[rule.lookup] = ir.Identifier(c_name(rule.lookup), "", option.member, bits, 0, bits, option.reason)
            continue
        layer = next(layer for layer in stack.layers if layer.header == header_name)
        header = catalogue.headers()[header_name]
        word = next(w for w in layer.words if any(p.name == field_name for p in w.parts))
        part = next(p for p in word.parts if p.name == field_name)
        described = next(w for w in header.words if w.name == word.name)
        found[rule.lookup] = ir.Identifier(
            c_name(rule.lookup),
            layer.member,
            word.name,
            word.bits,
            part.shift,
            part.bits,
            described.refusal or f"{header_name}_{word.name}",
        )
    return list(found.values())


def _rule(
    spec: Spec, rule: IngressRule, stack: ir.Stack, conditions: Conditions, replies: Sequence[ir.Stack]
) -> ir.IngressRule:
    kind, map_ = "any", ""
    prefixes: tuple[Prefix, ...] = ()
    if isinstance(rule.source, TableField):
        type_ = spec.endpoints[rule.source.table].fields[rule.source.field]
        if type_ in ("ip", stack.outer_family):
            kind, map_ = "map", address_map_name(rule.source)
        else:
            kind = "prefixes"  # none: no row has an address of this family
    elif isinstance(rule.source, Addresses):
        kind = "prefixes" if len(rule.source.prefixes) <= INLINE_PREFIXES else "set"
        if kind == "set":
            map_ = conditions.long_list(rule.source, f"from_{c_name(rule.name)}")
        prefixes = tuple(p for p in rule.source.prefixes if f"ipv{p.version}" == stack.outer_family)
    else:
        assert isinstance(rule.source, AnySource)
    mark = ""
    if isinstance(rule.set_mark, Scalar):
        mark = str(rule.set_mark.value)
    elif isinstance(rule.set_mark, Reference) and rule.set_mark.root == "host":
        mark = f"host.{host_value(rule.set_mark, stack.outer_family, spec).member}"
    elif isinstance(rule.set_mark, Reference):
        mark = f"row.field_{c_name(rule.set_mark.path[0])}"
    return ir.IngressRule(
        name=rule.name,
        c_name=c_name(rule.name),
        text=rule.text,
        place=rule.path,
        source_kind=kind,
        source_prefixes=prefixes,
        source_map=map_,
        match=conditions.of(rule.match, unseen=False),
        lookup=c_name(rule.lookup) if rule.lookup else "",
        mark=mark,
        mark_place=f"{rule.path}.set_mark" if rule.set_mark is not None else "",
        learn=learn(rule, stack, replies) if rule.learn else None,
        source_sets=rule.source.sets if isinstance(rule.source, Addresses) else (),
    )


def source_sets(spec: Spec) -> Mapping[str, TableField]:
    return {address_map_name(r.source): r.source for r in spec.ingress.rules if isinstance(r.source, TableField)}

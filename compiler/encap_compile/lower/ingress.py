"""From the ingress rules to the ingress program: how a stack is recognised, what must be right in it, who may send."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .. import ir
from ..headers import catalogue
from ..headers.model import Field, Header, InternetChecksum, Length, NextProtocol, Receive, Space
from ..spec import Addresses, AnySource, IngressRule, Prefix, Reference, Scalar, Spec, TableField
from .conditions import INLINE_PREFIXES, Conditions
from .names import c_name, place_text
from .reflection import learn
from .stacks import host_value
from .tunnel_ends import address_map_name

FAMILIES = catalogue.FAMILIES


def signature(stack: ir.Stack) -> ir.Signature:
    """How the stack is told from others: by its outer protocol, and its UDP destination port."""
    first, rest = stack.layers[0], stack.layers[1:]
    number = _next_source(first)
    protocols = (number.value,) if isinstance(number, ir.Literal) else tuple(sorted(_announced(Space.IP_PROTOCOL)))
    if not rest:
        protocols = tuple(sorted(_announced(Space.IP_PROTOCOL)))
    port, constant = -1, ""
    if rest and rest[0].header == "udp":
        source = _next_source(rest[0])
        assert isinstance(source, ir.Literal)
        port = source.value
        constant = next(w.constant for w in rest[0].words if any(p.source is source for p in w.parts))
    return ir.Signature(stack.outer_family, protocols, port, constant, stack.encapsulation)


def _announced(space: Space) -> list[int]:
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
) -> ir.IngressProgram | None:
    """`replies`: the stacks that reflect each ingress rule."""
    if not spec.ingress.rules:
        return None
    wanted = {rule.decapsulate for rule in spec.ingress.rules}
    return ir.IngressProgram(
        function=f"{c_name(spec.name)}_ingress",
        refuse=spec.ingress.refuse,
        decapsulators=tuple(
            _decapsulator(spec, stack, conditions, replies) for stack in stacks if stack.encapsulation in wanted
        ),
        family_change="flags" if spec.kernel >= (6, 3) else "reinject",
    )


def _decapsulator(
    spec: Spec, stack: ir.Stack, conditions: Conditions, replies: Mapping[str, Sequence[ir.Stack]]
) -> ir.Decapsulator:
    rules = tuple(r for r in spec.ingress.rules if r.decapsulate == stack.encapsulation)
    looked_up = any(r.lookup for r in rules)
    last = stack.layers[-1]
    names_inner = _next_field(catalogue.headers()[last.header])
    assert names_inner is not None and isinstance(names_inner.role, NextProtocol)
    numbers = _announced(names_inner.role.space)
    next_word = next(w for w in last.words if any(p.name == names_inner.name for p in w.parts))
    own = next(p.source for w in stack.layers[0].words for p in w.parts if p.name == "source")
    lowered = tuple(_rule(spec, r, stack, conditions, replies.get(r.name, ())) for r in rules)
    return ir.Decapsulator(
        function=f"decapsulate_{stack.name}",
        stack=stack,
        signature=signature(stack),
        own_address=own,
        checks=tuple(_checks(stack, names_inner.name)),
        lengths=tuple(_lengths(stack)),
        checksum_layer=next((layer.member for layer in stack.layers if layer.checksum_base), ""),
        identifiers=tuple(_identifiers(spec, rules, stack)) if looked_up else (),
        rules=lowered,
        next_layer=last.member,
        next_word=next_word.name,
        next_bits=next_word.bits,
        next_numbers=ir.ByInnerFamily(*numbers),
        ecn_layer=stack.layers[0].member,
        any_match=any(r.match for r in lowered) or any(r.learn for r in lowered),
        encapsulation_limit=stack.outer_family == "ipv6",
        learns=any(r.learn for r in lowered),
    )


def _checks(stack: ir.Stack, names_inner: str) -> list[ir.WordCheck]:
    """Every word that must be what we would have sent, ignored bits masked out."""
    found = []
    for layer in stack.layers:
        header = catalogue.headers()[layer.header]
        sent = {p.name: p.source for w in layer.words for p in w.parts}
        for word in layer.words:
            described = next(w for w in header.words if w.name == word.name)
            mask = value = 0
            compared: list[str] = []
            fields_compared: list[str] = []
            other: ir.Source | None = None
            other_mask = 0
            for part in word.parts:
                field = header.field(part.name)
                if _not_compared(field) or (layer is stack.layers[-1] and part.name == names_inner):
                    continue
                if layer is stack.layers[0] and isinstance(field.role, NextProtocol):
                    continue  # it is how the stack was recognised
                if layer.header == "udp" and isinstance(field.role, NextProtocol):
                    continue  # likewise
                expected = sent[field.peer] if field.receive is Receive.EXCHANGE else part.source
                if layer is stack.layers[0] and field.receive is Receive.EXCHANGE:
                    continue  # our own address: how the packet was recognised as ours
                if isinstance(expected, ir.Literal):
                    mask |= ((1 << part.bits) - 1) << part.shift
                    value |= expected.value << part.shift
                    compared.append(f"{part.name} {expected.value}" if expected.value else part.name)
                    fields_compared.append(part.name)
                elif isinstance(expected, ir.FromHost):
                    other, other_mask = expected, ((1 << part.bits) - 1) << part.shift
            reason = described.refusal or f"{layer.header}_{word.name}"
            full = (1 << word.bits) - 1
            if mask:
                prefix = stack.name if layer is stack.layers[0] else c_name(stack.encapsulation)
                name = f"{prefix}_{layer.header}_{word.name}".upper()
                found.append(
                    ir.WordCheck(
                        layer.member,
                        word.name,
                        word.bits,
                        mask,
                        ir.Literal(value),
                        f"{name}_EXPECTED" if value else "",
                        f"{name}_COMPARED" if mask != full else "",
                        _shorter(compared, [p.name for p in word.parts], fields_compared),
                        reason,
                    )
                )
            if other is not None:
                found.append(ir.WordCheck(layer.member, word.name, word.bits, other_mask, other, "", "", "", reason))
    return found


def _shorter(compared: list[str], every: list[str], fields_compared: list[str]) -> str:
    """What is compared, or what is not, whichever says it in fewer words."""
    ignored = [name for name in every if name not in fields_compared]
    return f"all but {', '.join(ignored)}" if ignored and len(ignored) < len(compared) else ", ".join(compared)


def _not_compared(field: Field) -> bool:
    if field.receive in (Receive.IGNORE, Receive.VERIFY):
        # A header length that is constant is compared all the same.
        return not (isinstance(field.role, Length) and field.role.extent == "header")
    return isinstance(field.role, InternetChecksum)


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
        kind, map_ = "map", address_map_name(rule.source)
    elif isinstance(rule.source, Addresses):
        kind = "prefixes" if len(rule.source.prefixes) <= INLINE_PREFIXES else "set"
        if kind == "set":
            map_ = conditions.long_list(rule.source, "from_" + c_name(rule.name))
        prefixes = tuple(p for p in rule.source.prefixes if f"ipv{p.version}" == stack.outer_family)
    else:
        assert isinstance(rule.source, AnySource)
    mark = ""
    if isinstance(rule.set_mark, Scalar):
        mark = str(rule.set_mark.value)
    elif isinstance(rule.set_mark, Reference) and rule.set_mark.root == "host":
        mark = f"host.{host_value(rule.set_mark, stack.outer_family, spec).member}"
    elif isinstance(rule.set_mark, Reference):
        mark = f"row.{rule.set_mark.path[0]}"
    return ir.IngressRule(
        name=rule.name,
        c_name=c_name(rule.name),
        text=rule.text,
        place=place_text(rule.place),
        source_kind=kind,
        source_prefixes=prefixes,
        source_map=map_,
        match=conditions.of(rule.match, unseen=False),
        lookup=c_name(rule.lookup) if rule.lookup else "",
        mark=mark,
        mark_place=place_text(rule.places["set_mark"]) if "set_mark" in rule.places else "",
        learn=learn(rule, stack, replies) if rule.learn else None,
    )


def source_sets(spec: Spec) -> Mapping[str, TableField]:
    return {address_map_name(r.source): r.source for r in spec.ingress.rules if isinstance(r.source, TableField)}

"""From the ingress rules to the ingress program: who may send what, and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from .. import ir
from ..headers import catalogue
from ..resolved import HostReference, IngressRule, Resolved, RowField, Table
from ..resolved.matches import is_long
from ..spec import AnySource
from .c_names import c_name
from .conditions import Conditions, hidden_by_fragments
from .learning import learn
from .received import inner_name, received_field, validated
from .recognition import recognitions
from .stacks import host_value
from .tunnel_endpoints import address_map_name
from .variable_parts import option_of

UDP_HEADER = 8  # bytes, which show the port


def lower_ingress(
    resolved: Resolved,
    stacks: Sequence[ir.Stack],
    conditions: Conditions,
    replies: Mapping[str, Sequence[ir.Stack]],
    clamps: bool,
    fit: ir.Fit | None,
    learns_paths: bool,
) -> ir.IngressProgram | None:
    """`replies`: the stacks that reflect each ingress rule; `clamps`: the answers to what sockets choose must fit,
    `fit`: those that a rule encapsulates; `learns_paths`: from ICMP errors."""
    fits_answers = fit is not None and bool(fit.answers)
    if not (resolved.ingress or clamps or fits_answers or learns_paths):
        return None
    received = [stack for stack in stacks if resolved.encapsulations[stack.encapsulation].receivers]
    together: dict[str, list[ir.Stack]] = {}
    for stack in received:
        together.setdefault(stack.shared_name, []).append(stack)
    decapsulations = tuple(
        _decapsulation(resolved, own, received, conditions, replies, clamps, fit) for own in together.values()
    )
    before = {
        ir.Arrival.LEARN_PATH_MTU: learns_paths,
        ir.Arrival.FIT_SOCKETS: clamps,
        ir.Arrival.FIT_ANSWERS: fits_answers,
    }
    return ir.IngressProgram(
        function=f"{c_name(resolved.spec.name)}__ingress",
        refuse=ir.OnRefusal(resolved.spec.ingress.refuse),
        before=tuple(arrival for arrival, wanted in before.items() if wanted),
        families=tuple(f for f in catalogue.FAMILIES if any(s.outer_family == f for s in received)),
        seen=_seen(decapsulations),
        decapsulations=decapsulations,
        family_change=ir.FamilyChange.FLAGS if resolved.spec.kernel >= (6, 3) else ir.FamilyChange.RECEIVE_AGAIN,
    )


def _seen(decapsulations: Sequence[ir.Decapsulation]) -> int:
    """How many bytes behind the outer header are looked at to recognise what comes in."""
    asked = [r for d in decapsulations for r in d.recognitions]
    ports = [UDP_HEADER for r in asked if r.port]
    return max([*ports, *(m.offset + m.bits // 8 for r in asked for m in r.marks)], default=0)


def _decapsulation(
    resolved: Resolved,
    stacks: Sequence[ir.Stack],
    received: Sequence[ir.Stack],
    conditions: Conditions,
    replies: Mapping[str, Sequence[ir.Stack]],
    clamps: bool,
    fit: ir.Fit | None,
) -> ir.Decapsulation:
    """`stacks` are those of one encapsulation over its outer families, which have the same behind the outer header."""
    stack = stacks[0]
    own = [r for r in resolved.ingress if r.decapsulate.name == stack.encapsulation]
    rules = tuple(_rule(r, stacks, conditions, replies.get(r.name, ())) for r in own)
    known = [validated(s) for s in stacks]
    inner = inner_name(stack)
    asked = recognitions(resolved, stacks, received)
    learns = any(rule.learn for rule in rules)
    return ir.Decapsulation(
        encapsulation=stack.encapsulation,
        function=f"decapsulate_{stack.shared_name}",
        place=stack.place,
        outers=tuple(v.outer for v in known),
        recognitions=asked,
        in_udp=any(r.port for r in asked),
        checks=known[0].checks,
        lengths=known[0].lengths,
        checksums=known[0].checksums,
        inner_fixed=stack.variable is None and not (isinstance(inner, ir.NamedByField) and inner.tagged),
        inner=inner,
        parses=any(rule.match for rule in rules) or learns or clamps,
        follows=_follows(rules, conditions),
        rules=rules,
        otherwise=_otherwise(rules),
        then=tuple(_then(learns, clamps, fit)),
    )


def _then(learns: bool, clamps: bool, fit: ir.Fit | None) -> Iterator[ir.Arrival]:
    if learns or clamps:
        yield ir.Arrival.MOVE_TRANSPORT
    if clamps:
        yield ir.Arrival.FIT_SOCKETS
    if learns:
        yield ir.Arrival.LEARN
    if fit is not None:
        yield ir.Arrival.FIT_ANSWERS if fit.answers else ir.Arrival.REMEMBER_ARRIVAL


def _follows(rules: Sequence[ir.IngressRule], conditions: Conditions) -> ir.Follows:
    if not any(hidden_by_fragments(rule.match, conditions.families) for rule in rules):
        return ir.Follows.NOBODY
    return ir.Follows.ANYBODY if any(isinstance(r.senders, ir.AnySource) for r in rules) else ir.Follows.LISTED


def _otherwise(rules: Sequence[ir.IngressRule]) -> ir.Otherwise | None:
    """What a packet is refused for that no rule takes.

    A packet of a listed source is refused for what it holds, if what it holds is why no rule took it.
    """
    taken = {rule.senders for rule in rules if not rule.match}  # whatever they send
    if ir.AnySource() in taken:
        return None
    matching = {rule.senders for rule in rules if rule.match} - taken
    if ir.AnySource() in matching:
        return ir.Refuse("match")
    return ir.RefuseBySource(unlisted="source", unmatched="match") if matching else ir.Refuse("source")


def _rule(
    rule: IngressRule, stacks: Sequence[ir.Stack], conditions: Conditions, replies: Sequence[ir.Stack]
) -> ir.IngressRule:
    return ir.IngressRule(
        name=rule.name,
        c_name=c_name(rule.name),
        text=rule.text,
        place=rule.path,
        senders=_senders(rule, conditions),
        match=conditions.of(rule, False, f"ingress_{c_name(rule.name)}"),
        steps=tuple(_steps(rule, stacks, replies)),
        verdict=ir.IngressVerdict.DECAPSULATE,
        counter=f"ingress_rule_{c_name(rule.name)}",
    )


def _senders(rule: IngressRule, conditions: Conditions) -> ir.Senders:
    source, families = rule.source, rule.decapsulate.outer_families
    if isinstance(source, AnySource):
        return ir.AnySource()
    if isinstance(source, RowField):
        if source.type not in ("ip", *families):
            return ir.SourcePrefixes(())  # no row has an address of these families
        family = "" if source.type == "ip" or len(families) == 1 else source.type
        return ir.SourceMap(address_map_name(source), family)
    if {f"ipv{p.version}" for p in source.prefixes if p.prefixlen == 0} >= {*families}:
        return ir.AnySource()  # by another name
    if is_long(source):
        return ir.SourceMap(conditions.long_list(source, f"ingress_{c_name(rule.name)}__from"), "")
    prefixes = [p for family in families for p in source.prefixes if f"ipv{p.version}" == family]
    return ir.SourcePrefixes(tuple(prefixes), source.sets)


def _steps(rule: IngressRule, stacks: Sequence[ir.Stack], replies: Sequence[ir.Stack]) -> Iterator[ir.IngressStep]:
    if rule.lookup:
        yield _identifier(rule.lookup, stacks[0])
    if rule.mark is not None:
        yield ir.SetMark(_mark(rule.mark, rule.path, stacks[0].outer_family))
    if rule.learn is not None:
        yield learn(rule, stacks, replies)


def _identifier(table: Table, stack: ir.Stack) -> ir.IdentifierLookUp:
    _, header, field = table.key[0].split(".")
    option = option_of(stack, header, field)
    if option is not None:
        return ir.IdentifierLookUp(c_name(table.name), ir.ReceivedOption(option.member, option.words), option.reason)
    layer = next(layer for layer in stack.layers if layer.header == header)
    found = received_field(layer, field)
    described = next(w for w in catalogue.headers()[header].words if w.name == found.word)
    return ir.IdentifierLookUp(c_name(table.name), found, described.refusal or f"{header}_{found.word}")


def _mark(mark: int | RowField | HostReference, rule: str, family: str) -> ir.Literal | ir.FromRow | ir.FromHost:
    match mark:
        case int():
            return ir.Literal(mark, f"{rule}.set_mark")
        case HostReference():
            found = host_value(mark, family)
            return ir.FromHost(found.member, found.type)
        case RowField():
            return ir.FromRow(f"field_{c_name(mark.field)}", mark.type)

"""By which rule a received packet is taken, as C, and what is done with it then."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import assert_never

from .. import ir
from .conditions import all_of, in_map, in_prefix
from .counting import keep_counter
from .received import counted, has_headers, header, number
from .rule_values import ingress_base, sender_constants, set_mark_constant


def _by_family(families: Sequence[str], found: Sequence[str]) -> str:
    """An expression for each of the outer families as one, in their order."""
    if len(set(found)) == 1:
        return found[0]
    ipv4, ipv6 = (text for _, text in sorted(zip(families, found, strict=True)))
    if ipv6 == "false":
        return f"outer->is_ipv4 && {_joined(ipv4)}"
    if ipv4 == "false":
        return f"!outer->is_ipv4 && {_joined(ipv6)}"
    return f"outer->is_ipv4 ? {_joined(ipv4)} : {_joined(ipv6)}"


def _joined(text: str) -> str:
    return f"({text})" if " || " in text or " ? " in text else text


# ---- who may send ----------------------------------------------------------------------------------------------------


def may_send(rule: ir.IngressRule, d: ir.Decapsulation, program: ir.Program) -> str:
    """Whether the rule lets the outer source send: a look-up, or a function of its own for what is compared."""
    match rule.senders:
        case ir.AnySource():
            return "true"
        case ir.SourcePrefixes():
            return f"may_send_{rule.c_name}(outer)"
        case ir.SourceMap(map=map_, family=only):
            families = [outer.family for outer in d.outers]
            listed = in_map(map_, "outer->saddr", program)
            return _by_family(families, [listed if only in ("", family) else "false" for family in families])
        case _:
            assert_never(rule.senders)


def compared_senders(d: ir.Decapsulation, program: ir.Program) -> Iterator[tuple[ir.IngressRule, str]]:
    """The rules with a function for who may send, and what it returns."""
    families = [outer.family for outer in d.outers]
    for rule in d.rules:
        if isinstance(rule.senders, ir.SourcePrefixes):
            found = [_in_prefixes(rule, rule.senders, family, program) for family in families]
            yield rule, _by_family(families, found)


def _in_prefixes(rule: ir.IngressRule, senders: ir.SourcePrefixes, family: str, program: ir.Program) -> str:
    names = sender_constants(rule, program)
    prefixes = [p for p in senders.prefixes if f"ipv{p.version}" == family]
    if any(p.prefixlen == 0 for p in prefixes):
        return "true"
    return " || ".join(in_prefix("outer->saddr", p, names[p]) for p in prefixes) or "false"


def follows_fragment(d: ir.Decapsulation, program: ir.Program) -> str:
    """Whether a packet is a fragment that is given what the first one showed."""
    match d.follows:
        case ir.Follows.NOBODY:
            return ""
        case ir.Follows.ANYBODY:
            return "packet->fragment"
        case ir.Follows.LISTED:
            return f"packet->fragment && ({' || '.join(_joined(may_send(r, d, program)) for r in d.rules)})"
        case _:
            assert_never(d.follows)


def tells_unlisted(d: ir.Decapsulation) -> bool:
    return isinstance(d.otherwise, ir.RefuseBySource)


def refused(d: ir.Decapsulation) -> str:
    """Where the counter of packets stands that no rule takes; empty where one takes all."""
    match d.otherwise:
        case None:
            return ""
        case ir.Refuse(reason):
            return counted(d, reason)
        case ir.RefuseBySource(unlisted, unmatched):
            return f"listed ? {counted(d, unmatched)} : {counted(d, unlisted)}"
        case _:
            assert_never(d.otherwise)


# ---- a rule ----------------------------------------------------------------------------------------------------------


def inner_condition(rule: ir.IngressRule, program: ir.Program) -> str:
    return all_of(rule.match, program, ingress_base(rule))


def steps(rule: ir.IngressRule, d: ir.Decapsulation, program: ir.Program) -> list[str]:
    """What a rule does with a packet that it takes, to its verdict."""
    lines = [keep_counter(rule.counter, program.counter_entries)]
    for step in rule.steps:
        match step:
            case ir.IdentifierLookUp():
                lines += _look_up(step, d)
            case ir.SetMark():
                lines.append(f"mark = {_mark(step, rule)};")
            case ir.Learn():
                lines += _learn(step, d)
            case _:
                assert_never(step)
    match rule.verdict:
        case ir.IngressVerdict.DECAPSULATE:
            lines.append("goto accepted;")
        case _:
            assert_never(rule.verdict)
    return lines


def lookup_tables(d: ir.Decapsulation) -> list[str]:
    return list(dict.fromkeys(rule.lookup.table for rule in d.rules if rule.lookup))


def sets_mark(d: ir.Decapsulation) -> bool:
    return any(rule.mark for rule in d.rules)


def _look_up(step: ir.IdentifierLookUp, d: ir.Decapsulation) -> list[str]:
    row = f"row_{step.table}"
    if isinstance(step.key, ir.ReceivedOption):
        low = f"bpf_ntohl(options->{step.key.member}[{step.key.words - 1}])"
        key = f"(__u64)bpf_ntohl(options->{step.key.member}[0]) << 32 | {low}" if step.key.words == 2 else low
    else:
        key = number(step.key, d)
    return [
        f"{row} = find_in_{step.table}({key});",
        f"if (!{row})",
        f"\treturn refuse(skb, {counted(d, step.miss)});",
    ]


def _mark(step: ir.SetMark, rule: ir.IngressRule) -> str:
    match step.value:
        case ir.Literal():
            return set_mark_constant(rule)
        case ir.FromHost(member=member):
            return f"host.{member}"
        case ir.FromRow(member=member):
            assert rule.lookup is not None
            return f"row_{rule.lookup.table}->{member}"
        case _:
            assert_never(step.value)


# ---- what it learns --------------------------------------------------------------------------------------------------

OUTER = {
    ir.OuterWord.SOURCE: "outer->saddr",
    ir.OuterWord.DESTINATION: "outer->daddr",
    ir.OuterWord.DSCP: "outer->tos >> IPV4_DSCP_SHIFT",
    ir.OuterWord.TTL: "outer->ttl",
    ir.OuterWord.HOP_LIMIT: "outer->ttl",
    ir.OuterWord.FLOW_LABEL: "outer->flow_label",
}  # of a header that was read: what only one family has is 0 in the other


def _learn(learn: ir.Learn, d: ir.Decapsulation) -> Iterator[str]:
    # Member by member: clang builds a compound literal on the stack first, twice the size of struct learned.
    yield "__builtin_memset(&flow->learned, 0, sizeof(flow->learned));"
    yield f"flow->learned.rule = {learn.constant};"
    yield f"flow->learned.stack = {_by_family([o.family for o in d.outers], [o.stack.constant for o in d.outers])};"
    for field in learn.fields:
        yield f"flow->learned.{field.member} = {_learned_value(field, d)};"
    for option in learn.options:
        kept, came = f"flow->learned.{option.member}", f"options->{option.option.member}"
        yield f"__builtin_memcpy({kept}, {came}, sizeof({came}));"
    if learn.variable:
        where = f"ETH_HLEN + outer->length + {d.stack.fixed_constant}"
        kept = f"flow->learned.{learn.variable.member}"
        yield f"if (!keep_opaque(skb, {where}, variable, {kept}, sizeof({kept})))"
        yield f"\treturn refuse(skb, {counted(d, 'truncated')});"


def _learned_value(learned: ir.LearnedField | ir.LearnedOuterField, d: ir.Decapsulation) -> str:
    """A field of a received header as `struct learned` keeps it."""
    if isinstance(learned, ir.LearnedOuterField):
        return OUTER[learned.word]
    word = f"{header(learned.field.layer, d)}{learned.field.word}"
    if learned.type == "ip":
        return f"mapped_ipv4({word})" if learned.field.word_bits == 32 else f"from_ipv6(&{word})"
    return word if learned.type in ("mac", "ipv4", "ipv6") else number(learned.field, d)


def _learned_overhead(learn: ir.Learn, d: ir.Decapsulation) -> str:
    """By how much a packet of a learned flow grows, the way that adds more."""
    found = []
    for grows in learn.grows:
        usual, otherwise = (_growth(growth, learn, d) for growth in (grows.usual, grows.otherwise))
        has = " && ".join(f"has_addresses_of_{stack}()" for stack in grows.guards)
        found.append(f"{has} ? {usual} : {otherwise}" if has else usual)
    return _by_family([grows.family for grows in learn.grows], found)


def _growth(growth: ir.Growth, learn: ir.Learn, d: ir.Decapsulation) -> str:
    if isinstance(growth, ir.ByOverhead):
        return f"{growth.constant}{' + variable' if learn.variable else ''}"
    terms = ["outer->length - outer->extension", *([d.stack.fixed_constant] if has_headers(d) else [])]
    terms += ["variable"] if d.stack.variable else []
    return " + ".join([*terms, *(f"sizeof(struct {layer.struct})" for layer in d.stack.behind)])


# ---- afterwards ------------------------------------------------------------------------------------------------------


def before(ingress: ir.IngressProgram) -> list[str]:
    """What is done with every packet, before any is recognised."""
    calls = {
        ir.Arrival.LEARN_PATH_MTU: "learn_path_mtu(skb);",
        ir.Arrival.FIT_SOCKETS: "fit_unencapsulated(skb);",
        ir.Arrival.FIT_ANSWERS: "fit_answers(skb, skb->protocol, 0, host.mtu);",
    }
    return [calls[arrival] for arrival in ingress.before]


def then(d: ir.Decapsulation, program: ir.Program) -> list[str]:
    """What is done with a decapsulated packet."""
    lines = []
    for arrival in d.then:
        match arrival:
            case ir.Arrival.MOVE_TRANSPORT:
                lines += ["if (packet->transport)", "\tpacket->transport -= inner.overhead;"]
            case ir.Arrival.FIT_SOCKETS:
                lines.append("fit_segments(skb);")
            case ir.Arrival.LEARN:
                lines += _record(d, program)
            case ir.Arrival.FIT_ANSWERS:
                lines.append("fit_answers(skb, inner_ether_type(&inner), inner.overhead, host.mtu);")
            case ir.Arrival.REMEMBER_ARRIVAL:
                lines.append("record_arrival(skb, inner_ether_type(&inner), inner.overhead);")
            case ir.Arrival.LEARN_PATH_MTU:
                raise AssertionError("of what comes in, not of what it carries")
            case _:
                assert_never(arrival)
    return lines


def _record(d: ir.Decapsulation, program: ir.Program) -> Iterator[str]:
    for rule in d.rules:
        if rule.learn is None:
            continue
        more = f", {_learned_overhead(rule.learn, d)}" if program.clamps else ""
        call = f"learn_rule_{rule.c_name}(skb, packet, flow{more}, counters);"
        if len(d.rules) > 1:
            yield f"if (flow->learned.rule == {rule.learn.constant})"
            call = f"\t{call}"
        yield call


def directions(names: Sequence[ir.LearnFor]) -> str:
    """For which packets headers are learned, as flags."""
    return " | ".join(f"FOR_{name.upper()}" for name in names)


def received_tables(program: ir.Program) -> list[tuple[ir.TableMap, str, str]]:
    """(table, C type of the identifier, key member) of every table that is looked up on receive."""
    return [(t, t.key[0].ctype, t.key[0].name) for t in program.tables if t.received]

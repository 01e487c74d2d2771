"""Received headers as C: how a stack is recognised, validated, and by which rule it is accepted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from .. import ir
from ..lower.counters import refusal_member, refusals_member
from .assignments import next_name
from .conditions import PROTOCOLS, in_map, in_prefix
from .rule_values import sender_constants, set_mark_constant


class Body(NamedTuple):
    """What is done with the packets of an encapsulation, over IPv4, IPv6 or both, once the outer header is read."""

    decapsulators: tuple[ir.Decapsulator, ...]

    @property
    def first(self) -> ir.Decapsulator:
        return self.decapsulators[0]

    @property
    def stack(self) -> ir.Stack:
        return self.first.stack

    @property
    def function(self) -> str:
        return f"decapsulate_{self.stack.shared_name}"

    @property
    def behind(self) -> tuple[ir.Layer, ...]:
        """The headers behind a variable-length part."""
        tail = self.stack.tail
        return tuple(layer for layer in self.stack.layers if tail and layer.member in tail.behind)

    @property
    def has_headers(self) -> bool:
        return len(self.stack.layers) > 1

    @property
    def learns(self) -> list[ir.IngressRule]:
        return [r for r in self.first.rules if r.learn]


def bodies(ingress: ir.IngressProgram) -> list[Body]:
    found: dict[str, Body] = {}
    for decapsulator in ingress.decapsulators:
        name = decapsulator.stack.shared_name
        known = found.get(name)
        assert known is None or _alike(known.first, decapsulator), name
        found[name] = Body((*(known.decapsulators if known else ()), decapsulator))
    return list(found.values())


def _alike(one: ir.Decapsulator, other: ir.Decapsulator) -> bool:
    return _shared(one) == _shared(other)


def _shared(d: ir.Decapsulator) -> tuple[object, ...]:
    """What of a decapsulator does not depend on the outer family."""
    first = d.stack.layers[0].member
    return (
        [(layer.member, layer.struct) for layer in d.stack.layers[1:]],
        [check for check in d.checks if check.layer != first],
        d.lengths[1:],
        d.identifiers,
        "" if d.next_layer == first else d.next_layer,
        d.tagged,
        d.signature.port,
        [rule.name for rule in d.rules],
    )


def by_family(body: Body, found: Sequence[str]) -> str:
    """An expression for each of the body's families as one; `found` is in the order of the families."""
    if len(set(found)) == 1:
        return found[0]
    ipv4, ipv6 = found
    if ipv6 == "false":
        return f"outer->is_ipv4 && {_joined(ipv4)}"
    if ipv4 == "false":
        return f"!outer->is_ipv4 && {_joined(ipv6)}"
    return f"outer->is_ipv4 ? {_joined(ipv4)} : {_joined(ipv6)}"


def _joined(text: str) -> str:
    return f"({text})" if " || " in text or " ? " in text else text


# ---- recognised ------------------------------------------------------------------------------------------------------


def recognised(body: Body) -> list[tuple[str, ir.Decapsulator]]:
    """(condition, decapsulator) by which a packet is known to be of the stack: one for both families if they agree."""
    found: dict[tuple[tuple[int, ...], tuple[ir.Mark, ...]], list[ir.Decapsulator]] = {}
    for d in body.decapsulators:
        found.setdefault((d.signature.protocols, d.marks), []).append(d)
    return [(_looks_like(those), those[0]) for those in found.values()]


def _looks_like(decapsulators: Sequence[ir.Decapsulator]) -> str:
    d = decapsulators[0]
    ours = [_is_ours(other) for other in decapsulators]
    numbers = [PROTOCOLS.get(p, str(p)) for p in d.signature.protocols]
    protocol = f"outer.protocol == {numbers[0]}" if len(numbers) == 1 else "is_ip_in_ip(outer.protocol)"
    terms = [protocol, f"({' || '.join(ours)})" if len(ours) > 1 else ours[0]]
    if d.signature.port >= 0:
        terms.insert(1, f"outer.dport == bpf_htons({d.signature.port_constant})")
    if d.marks:
        terms.append(f"looks_like_{d.stack.c_name}(skb, &outer)")
    return " && ".join(terms)


def _is_ours(d: ir.Decapsulator) -> str:
    own, family = d.own_address, d.stack.outer_family
    if isinstance(own, ir.FromHost):
        value = f"host.{own.member}"
    else:
        word = next(w for w in d.stack.layers[0].words for p in w.parts if p.name == "source")
        value = f"bpf_htonl({word.constant})" if family == "ipv4" else word.constant
    return f"comes_to_{family}(&outer, {'&' if family == 'ipv6' else ''}{value})"


def marked(ingress: ir.IngressProgram) -> list[ir.Decapsulator]:
    """Those that need a function to be distinguished from others."""
    return [d for b in bodies(ingress) for _, d in recognised(b) if d.marks]


def outer_reader(ingress: ir.IngressProgram) -> str:
    """The library's function that reads the outer header of all families that stacks have."""
    families = {d.stack.outer_family for d in ingress.decapsulators}
    return "read_outer" if len(families) == 2 else f"read_outer_{families.pop()}"


def one_family(ingress: ir.IngressProgram) -> str:
    """The EtherType of the only outer family, or empty."""
    families = {d.stack.outer_family for d in ingress.decapsulators}
    return "" if len(families) == 2 else {"ipv4": "ETH_P_IP", "ipv6": "ETH_P_IPV6"}[families.pop()]


def seen_bytes(ingress: ir.IngressProgram) -> str:
    """How many bytes behind the outer header are looked at to distinguish stacks."""
    udp = any(d.signature.port >= 0 for d in ingress.decapsulators)
    most = max((m.offset + m.bits // 8 for d in ingress.decapsulators for m in d.marks), default=0)
    return str(most) if most > 8 or not udp else "UDP_HLEN"


def mark_type(mark: ir.Mark) -> str:
    return {8: "__u8", 16: "__be16", 32: "__be32"}[mark.bits]


def mark_condition(mark: ir.Mark) -> str:
    """Whether a word, `*at_OFFSET`, has one of the values."""
    swap = {8: "", 16: "bpf_htons", 32: "bpf_htonl"}[mark.bits]

    def number(value: int) -> str:
        text = f"{value:#0{mark.bits // 4 + 2}x}"
        return f"{swap}({text})" if swap and value else text if value else "0"

    word = f"*at_{mark.offset}"
    if mark.mask != (1 << mark.bits) - 1:
        word = f"({word} & {number(mark.mask)})"
    terms = [f"{word} == {number(value)}" for value in mark.values]
    return terms[0] if len(terms) == 1 else f"({' || '.join(terms)})"


# ---- validated -------------------------------------------------------------------------------------------------------


def _at(layer: str, d: ir.Decapsulator) -> str:
    """A header behind the outer one: what follows a variable-length part is reached through a pointer of its own."""
    return f"{layer}->" if d.stack.tail and layer in d.stack.tail.behind else f"headers->{layer}."


def read_at_once(body: Body) -> tuple[str, str]:
    """(bytes that must be there behind the outer header, bytes that may follow) before any header is validated."""
    constant = body.stack.fixed_constant if body.has_headers else ""
    more = [f"{body.stack.tail.member}_MAX".upper()] if body.stack.tail else []
    more += [f"sizeof(*{layer.member})" for layer in body.behind] + (
        ["sizeof(struct vlan_tag)"] if body.first.tagged else []
    )
    if not more:
        constant = f"{constant} + IPV4_HLEN" if constant else "IPV4_HLEN"
    return constant, " + ".join(more) or "0"


def word_checks(body: Body, behind: bool = False) -> list[str]:
    """Every word that must have a certain value, but those of the outer header; up to a tail, or `behind` it."""
    lines = []
    d = body.first
    tail = body.stack.tail
    for check in d.checks:
        if check.layer == body.stack.layers[0].member or behind != bool(tail and check.layer in tail.behind):
            continue
        counter = counted(body, check.reason)
        lines += [f"if ({_differs(check, d)})", f"\treturn refuse(skb, {counter});"]
    return lines


def counted(body: Body, reason: str) -> str:
    """Where the counter of a reason stands for which packets of the encapsulation are refused."""
    return f"COUNTER({refusal_member(body.stack.encapsulation, reason)})"


def _differs(check: ir.WordCheck, decapsulator: ir.Decapsulator) -> str:
    word = f"{_at(check.layer, decapsulator)}{check.word}"
    if isinstance(check.expected, ir.FromHost):
        if check.bits == 48:
            return f"!is_group_mac(&{word}) && !same_mac(&{word}, &host.{check.expected.member})"
        if check.bits == 128:
            return f"!same_ipv6(&{word}, &host.{check.expected.member})"
        host = f"host.{check.expected.member}"
        if check.expected.type == "ipv4":
            return f"{word} != {host}"
        return f"{_part(_host_order(word, check.bits), check.mask, check.bits)} != {host}"
    assert isinstance(check.expected, ir.Literal)
    if check.bits == 48:
        return f"!is_group_mac(&{word}) && !is_mac(&{word}, {check.constant or 'MAC(0, 0, 0, 0, 0, 0)'})"
    if check.bits == 128:
        return f"!is_ipv6(&{word}, {check.constant or '(struct ipv6_address){}'})"
    swap = {8: "", 16: "bpf_htons", 32: "bpf_htonl"}[check.bits]
    expected = (f"{swap}({check.constant})" if swap else check.constant) if check.constant else "0"
    if not check.mask_constant:
        return f"{word} != {expected}"
    test = f"{word} & {f'{swap}({check.mask_constant})' if swap else check.mask_constant}"
    return f"({test}) != {expected}" if check.constant else test


def _part(value: str, mask: int, bits: int) -> str:
    """The field of a word (host order) that `mask` leaves, as a number of its own."""
    shift = (mask & -mask).bit_length() - 1
    if shift:
        value += f" >> {shift}"
    return value if mask.bit_length() == bits else f"(({value}) & {mask >> shift:#x})"


def lengths_differ(body: Body) -> str:
    """Not zero if the lengths that headers behind the outer one state are not those of the datagram."""
    terms = []
    for check in body.first.lengths[1:]:
        layer = _at(check.layer, body.first)
        position = next(x for x in body.stack.layers if x.member == check.layer)
        before = position.offset - body.stack.outer_size
        text = "outer->datagram - outer->length"
        text += f" - offsetof(struct {body.stack.headers}, {check.layer})" if before else ""
        text += f" - sizeof({layer.rstrip('.->')})" if check.payload else ""
        terms.append(f"{text} - bpf_ntohs({layer}{check.word})")
    return terms[0] if len(terms) == 1 else " | ".join(f"({term})" for term in terms) or "0"


def inner_version(body: Body) -> str:
    """By which number the last header names the inner packet, and the numbers for IPv4 and IPv6."""
    d = body.first
    if not d.next_layer:
        return "NAMED_BY_ITSELF"
    if d.next_layer == body.stack.layers[0].member:
        return "NAMED_BY_OUTER"
    numbers = [next_name(n, d.next_numbers.space) for n in (d.next_numbers.ipv4, d.next_numbers.ipv6)]
    mask = ((1 << d.next_bits) - 1) << d.next_shift
    word = _part(_host_order(next_member(body), d.next_word_bits), mask, d.next_word_bits)
    return f"{word}, {', '.join(numbers)}"


def next_member(body: Body) -> str:
    """Where the last header names the inner packet."""
    return f"{_at(body.first.next_layer, body.first)}{body.first.next_word}"


def inner_checksum(body: Body) -> str:
    """A header behind the outer one that has the only checksum to be validated, or empty."""
    layer = body.first.checksum_layer
    return "" if layer in ("", body.stack.layers[0].member) else f"headers->{layer}"


def _host_order(word: str, bits: int) -> str:
    swap = {8: "", 16: "bpf_ntohs", 32: "bpf_ntohl"}[bits]
    return f"{swap}({word})" if swap else word


# ---- accepted --------------------------------------------------------------------------------------------------------


def lookup_tables(body: Body) -> list[str]:
    return list(dict.fromkeys(r.lookup for r in body.first.rules if r.lookup))


def sets_mark(body: Body) -> bool:
    return any(r.mark for r in body.first.rules)


def _identifier(rule: ir.IngressRule, d: ir.Decapsulator) -> ir.Identifier:
    return next(i for i in d.identifiers if i.table == rule.lookup)


def lookup_call(rule: ir.IngressRule, body: Body) -> str:
    """The row for the received identifier."""
    return f"find_in_{rule.lookup}({_number(_identifier(rule, body.first), body.first)})"


def _number(field: ir.Identifier | ir.LearnedField | ir.Tail, d: ir.Decapsulator) -> str:
    """A field of a received header, in host order."""
    if isinstance(field, ir.Identifier) and not field.layer:
        high = f"(__u64)bpf_ntohl(options->{field.word}[0]) << 32 | "
        return f"{high if field.bits == 64 else ''}bpf_ntohl(options->{field.word}[{field.bits // 32 - 1}])"
    value = _host_order(f"{_at(field.layer, d)}{field.word}", field.word_bits)
    if field.shift:
        value += f" >> {field.shift}"
    if field.shift + field.bits < field.word_bits:
        value = f"({value}) & {(1 << field.bits) - 1:#x}"
    return value


def tail_length(body: Body) -> str:
    """Bytes of a received tail."""
    assert body.stack.tail is not None
    return f"({_number(body.stack.tail, body.first)}) * 4"


OUTER = {
    "ip_source": "outer->saddr",
    "ip_destination": "outer->daddr",
    "ip_dscp": "outer->tos >> IPV4_DSCP_SHIFT",
    "ip_ttl": "outer->ttl",
    "ip_hop_limit": "outer->ttl",
    "ip_flow_label": "outer->flow_label",
}  # what may be learned of the outer header


def learned_fields(rule: ir.IngressRule, body: Body) -> list[tuple[str, str]]:
    """(member of struct learned, its value) of what a rule keeps. What only one family has is 0 in the other."""
    found: dict[str, str] = {}
    for d in body.decapsulators:
        learn = next(r.learn for r in d.rules if r.name == rule.name)
        assert learn is not None
        for field in learn.fields:
            found.setdefault(field.member, _learned_value(field, d))
    return list(found.items())


def _learned_value(field: ir.LearnedField, d: ir.Decapsulator) -> str:
    """A field of a received header as `struct learned` keeps it."""
    if field.layer == d.stack.layers[0].member:
        return OUTER[field.member]
    word = f"{_at(field.layer, d)}{field.word}"
    if field.type == "ip":
        return f"mapped_ipv4({word})" if field.word_bits == 32 else f"from_ipv6(&{word})"
    return word if field.type in ("mac", "ipv4", "ipv6") else _number(field, d)


def learned_stack(body: Body) -> str:
    """The number of the stack that came in."""
    return by_family(body, [d.stack.constant for d in body.decapsulators])


def learned_overhead(rule: ir.IngressRule, body: Body) -> str:
    """By how much a packet of a learned flow grows, the way that adds more."""
    found = []
    for d in body.decapsulators:
        learn = next(r.learn for r in d.rules if r.name == rule.name)
        assert learn is not None
        ways = [_overhead(name, learn, body) for name in (learn.larger, learn.otherwise)]
        has = " && ".join(f"has_addresses_of_{stack}()" for stack in learn.guards)
        found.append(f"{has} ? {' : '.join(ways)}" if has else ways[0])
    return by_family(body, found)


def _overhead(larger: str, learn: ir.Learn, body: Body) -> str:
    """`larger` names a reply's overhead; empty is that of what came in, without what only came in."""
    if larger:
        return f"{larger}{' + tail' if learn.tail else ''}"
    terms = ["outer->length - outer->extension", body.stack.fixed_constant if body.has_headers else ""]
    terms += ["tail"] if body.stack.tail else []
    terms += [f"sizeof(struct {layer.struct})" for layer in body.behind]
    return " + ".join(term for term in terms if term)


def lookup_reason(rule: ir.IngressRule, body: Body) -> str:
    return counted(body, _identifier(rule, body.first).reason)


def received_tables(program: ir.Program) -> list[tuple[ir.TableMap, str, str]]:
    """(table, C type of the identifier, key member) of every table that is looked up on receive."""
    return [(t, t.key[0].ctype, t.key[0].name) for t in program.tables if t.received]


def mark_value(rule: ir.IngressRule) -> str:
    if rule.mark.startswith("row."):
        return f"row_{rule.lookup}->{rule.mark.removeprefix('row.')}"
    if rule.mark.startswith("host."):
        return rule.mark
    return set_mark_constant(rule)


def source_condition(rule: ir.IngressRule, body: Body, program: ir.Program) -> str:
    """Whether the outer source is one that the rule lists."""
    found = []
    names = sender_constants(rule, program)
    for d in body.decapsulators:
        own = next(r for r in d.rules if r.name == rule.name)
        if own.source_kind != "prefixes":
            found.append(in_map(own.source_map, "outer->saddr", program))
            continue
        if any(p.prefixlen == 0 for p in own.source_prefixes):
            found.append("true")
            continue
        terms = [in_prefix("outer->saddr", p, names[p]) for p in own.source_prefixes]
        found.append(" || ".join(terms) or "false")
    return by_family(body, found)


def may_send(rule: ir.IngressRule, body: Body, program: ir.Program) -> str:
    """Whether the rule lets the outer source send: a look-up, or a function of its own for what is compared."""
    if rule.source_kind == "any":
        return "true"
    own = [r for d in body.decapsulators for r in d.rules if r.name == rule.name]
    return source_condition(rule, body, program) if any(r.source_map for r in own) else f"may_send_{rule.c_name}(outer)"


def always_accepts(body: Body) -> bool:
    return any(r.source_kind == "any" and not r.match for r in body.first.rules)


def from_listed(body: Body, program: ir.Program) -> str:
    """A further condition: that some rule lets the packet's source send. Empty where anybody may."""
    if any(r.source_kind == "any" for r in body.first.rules):
        return ""
    listed = " || ".join(_joined(may_send(r, body, program)) for r in body.first.rules)
    return f" && ({listed})"


def all_match(body: Body) -> bool:
    return all(r.match for r in body.first.rules)


def tells_unlisted(body: Body) -> bool:
    """Whether a packet of an unlisted source is refused for another reason than one that no rule matches."""
    return all_match(body) and all(r.source_kind != "any" for r in body.first.rules)


RECEIVE_FILTERS: dict[str, Callable[..., Any]] = {
    f.__name__: f
    for f in (
        bodies,
        recognised,
        marked,
        outer_reader,
        one_family,
        seen_bytes,
        mark_type,
        mark_condition,
        read_at_once,
        word_checks,
        counted,
        refusals_member,
        lengths_differ,
        inner_version,
        next_member,
        inner_checksum,
        lookup_tables,
        sets_mark,
        lookup_call,
        learned_fields,
        learned_stack,
        learned_overhead,
        tail_length,
        lookup_reason,
        received_tables,
        mark_value,
        source_condition,
        may_send,
        always_accepts,
        from_listed,
        all_match,
        tells_unlisted,
    )
}

"""Received headers as C: how a stack is recognised and judged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import ir
from ..lower.counters import refusal_member
from .assignments import next_name
from .conditions import PROTOCOLS, _prefix


def parameters(decapsulator: ir.Decapsulator) -> list[str]:
    """What a decapsulating function is told, as its declaration says it."""
    types = {"skb": "struct __sk_buff *", "counters": "struct counters *", "extension": "__u32 ", "protocol": "__u8 "}
    return [f"{types[name]}{name}" for name in arguments(decapsulator)]


def arguments(decapsulator: ir.Decapsulator) -> list[str]:
    """The same, as the caller names it."""
    names = ["extension"] if decapsulator.encapsulation_limit else []
    names += ["protocol"] if found_protocol(decapsulator) else []
    return ["skb", *names, "counters"]


def found_protocol(decapsulator: ir.Decapsulator) -> bool:
    """The outermost header's next protocol names the inner packet, but it may stand behind an option."""
    return decapsulator.encapsulation_limit and decapsulator.next_layer == decapsulator.stack.layers[0].member


def moved(decapsulator: ir.Decapsulator) -> bool:
    """Whether headers of the stack may be found further behind than where its layout has them."""
    return decapsulator.encapsulation_limit and len(decapsulator.stack.layers) > 1


def _at(layer: str, decapsulator: ir.Decapsulator) -> str:
    """A received header, to be followed by a member: what may be moved is reached through a pointer of its own."""
    tail = decapsulator.stack.tail
    if tail and layer in tail.behind:
        return f"{layer}->"
    first = decapsulator.stack.layers[0].member
    return f"{'behind' if moved(decapsulator) and layer != first else 'outer'}->{layer}."


def word_checks(decapsulator: ir.Decapsulator, behind: bool = False) -> list[str]:
    """Every word that must have a certain value, outermost header first; up to a tail, or `behind` it."""
    lines = []
    tail = decapsulator.stack.tail
    for check in decapsulator.checks:
        if behind != bool(tail and check.layer in tail.behind):
            continue
        counter = refusal_member(decapsulator.stack.encapsulation, check.reason)
        wrong = _differs(check, decapsulator)
        lines += [f"if ({wrong})", f"\treturn refuse(&counters->{counter}, skb);"]
    return lines


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
        halves = check.expected.value.to_bytes(6, "big")
        differs = " || ".join(
            f"{word}.half[{i}] != bpf_htons({int.from_bytes(halves[2 * i : 2 * i + 2], 'big'):#06x})" for i in range(3)
        )
        return f"!is_group_mac(&{word}) && ({differs})"
    if check.bits == 128:
        words = check.expected.value.to_bytes(16, "big")
        return " || ".join(
            f"{word}.word[{i}] != bpf_htonl({int.from_bytes(words[4 * i : 4 * i + 4], 'big'):#010x})" for i in range(4)
        )
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


def datagram_length(decapsulator: ir.Decapsulator) -> str:
    """Bytes of the outer datagram, as the outermost header says."""
    first = decapsulator.lengths[0]
    text = f"bpf_ntohs(outer->{first.layer}.{first.word})"
    return f"{text} + sizeof(outer->{first.layer})" if first.payload else text


def length_conditions(decapsulator: ir.Decapsulator) -> str:
    """Further lengths that must agree with the first."""
    text = ""
    for check in decapsulator.lengths[1:]:
        before = f"offsetof(struct {decapsulator.stack.struct}, {check.layer})"
        layer = _at(check.layer, decapsulator)
        behind = f" - sizeof({layer.rstrip('.->')})" if check.payload else ""
        moved_by = " - extension" if decapsulator.encapsulation_limit else ""
        text += f" || bpf_ntohs({layer}{check.word}) != datagram{moved_by} - {before}{behind}"
    return text


def next_expression(decapsulator: ir.Decapsulator) -> str:
    if not decapsulator.next_layer:
        return "ipv4->version_ihl >> 4"
    if found_protocol(decapsulator):
        return "protocol"
    d = decapsulator
    mask = ((1 << d.next_bits) - 1) << d.next_shift
    return _part(_host_order("type" if d.tagged else next_member(d), d.next_word_bits), mask, d.next_word_bits)


def next_member(decapsulator: ir.Decapsulator) -> str:
    """Where the last header names the inner packet."""
    return f"{_at(decapsulator.next_layer, decapsulator)}{decapsulator.next_word}"


def differs_in_length(decapsulator: ir.Decapsulator) -> bool:
    """Whether the headers of one packet may be longer than those of another."""
    return decapsulator.encapsulation_limit or decapsulator.tagged or decapsulator.stack.tail is not None


def received_overhead(decapsulator: ir.Decapsulator) -> str:
    """The bytes of a received packet's headers: a constant, or a variable if they differ by packet."""
    return "overhead" if differs_in_length(decapsulator) else decapsulator.stack.overhead_constant


def _host_order(word: str, bits: int) -> str:
    swap = {8: "", 16: "bpf_ntohs", 32: "bpf_ntohl"}[bits]
    return f"{swap}({word})" if swap else word


def next_case(decapsulator: ir.Decapsulator, family: str) -> str:
    number = decapsulator.next_numbers.ipv4 if family == "ipv4" else decapsulator.next_numbers.ipv6
    if not decapsulator.next_layer:
        return str(number)
    return next_name(number, decapsulator.next_numbers.space)


def outer_ecn(decapsulator: ir.Decapsulator) -> str:
    if decapsulator.stack.outer_family == "ipv4":
        return f"outer->{decapsulator.ecn_layer}.tos & ECN_MASK"
    return f"ecn_of_ipv6(outer->{decapsulator.ecn_layer}.version_class_label)"


def lookup_tables(decapsulator: ir.Decapsulator) -> list[str]:
    return list(dict.fromkeys(r.lookup for r in decapsulator.rules if r.lookup))


def sets_mark(decapsulator: ir.Decapsulator) -> bool:
    return any(r.mark for r in decapsulator.rules)


def _identifier(rule: ir.IngressRule, decapsulator: ir.Decapsulator) -> ir.Identifier:
    return next(i for i in decapsulator.identifiers if i.table == rule.lookup)


def lookup_call(rule: ir.IngressRule, decapsulator: ir.Decapsulator) -> str:
    """The row for the received identifier."""
    return f"find_in_{rule.lookup}({_number(_identifier(rule, decapsulator), decapsulator)})"


def _number(field: ir.Identifier | ir.LearnedField | ir.Tail, decapsulator: ir.Decapsulator) -> str:
    """A field of a received header, in host order."""
    if isinstance(field, ir.Identifier) and not field.layer:
        high = f"(__u64)bpf_ntohl(options->{field.word}[0]) << 32 | "
        return f"{high if field.bits == 64 else ''}bpf_ntohl(options->{field.word}[{field.bits // 32 - 1}])"
    word = f"{_at(field.layer, decapsulator)}{field.word}"
    value = _host_order(word, field.word_bits)
    if field.shift:
        value += f" >> {field.shift}"
    if field.shift + field.bits < field.word_bits:
        value = f"({value}) & {(1 << field.bits) - 1:#x}"
    return value


def tail_length(decapsulator: ir.Decapsulator) -> str:
    """Bytes of a received tail."""
    tail = decapsulator.stack.tail
    assert tail is not None
    return f"({_number(tail, decapsulator)}) * 4"


def learned_value(field: ir.LearnedField, decapsulator: ir.Decapsulator) -> str:
    """A field of a received header as `struct learned` keeps it."""
    word = f"{_at(field.layer, decapsulator)}{field.word}"
    if field.type == "ip":
        return f"mapped_ipv4({word})" if field.word_bits == 32 else f"from_ipv6(&{word})"
    return word if field.type in ("mac", "ipv4", "ipv6") else _number(field, decapsulator)


def lookup_reason(rule: ir.IngressRule, decapsulator: ir.Decapsulator) -> str:
    return refusal_member(decapsulator.stack.encapsulation, _identifier(rule, decapsulator).reason)


def received_tables(program: ir.Program) -> list[tuple[ir.TableMap, str, str]]:
    """(table, C type of the identifier, key member) of every table that is looked up on receive."""
    return [(t, t.key[0].ctype, t.key[0].name) for t in program.tables if t.received]


def mark_value(rule: ir.IngressRule) -> str:
    if rule.mark.startswith("row."):
        return f"row_{rule.lookup}->{rule.mark.removeprefix('row.')}"
    if rule.mark.startswith("host."):
        return rule.mark
    return f"{int(rule.mark, 0):#x}; /* {rule.mark_place} */" if rule.mark_place else rule.mark


def source_condition(rule: ir.IngressRule, stack: ir.Stack) -> str:
    """`return` whether the outer source is in the rule's prefixes."""
    address = f"outer->{stack.layers[0].member}.saddr"
    terms = [_prefix(address, p, mapped=False) for p in rule.source_prefixes]
    if not terms:
        return "(void)outer;\n\treturn false; /* no such prefix of this family */"
    if "" in terms:
        return "(void)outer;\n\treturn true;"
    return f"return {' || '.join(terms)};"


def source_key(rule: ir.IngressRule, stack: ir.Stack, program: ir.Program) -> str:
    """The declaration of the key by which the outer source is found in the rule's map."""
    address = f"outer->{stack.layers[0].member}.saddr"
    map_ = next(m for m in program.address_maps if m.name == rule.source_map)
    mapped = f"mapped_ipv4({address})" if stack.outer_family == "ipv4" else f"from_ipv6(&{address})"
    if map_.kind == "lpm":
        return f"struct prefix_of_{map_.name} key = {{.prefixlen = 128, .address = {mapped}}};"
    return f"{map_.ctype} key = {mapped if map_.ctype == 'struct ip_address' else address};"


def outer_families(ingress: ir.IngressProgram) -> list[str]:
    found = {d.stack.outer_family for d in ingress.decapsulators}
    return [f for f in ("ipv4", "ipv6") if f in found]


def udp_in(ingress: ir.IngressProgram, family: str) -> bool:
    return any(d.signature.port >= 0 and d.stack.outer_family == family for d in ingress.decapsulators)


def encapsulation_limit(ingress: ir.IngressProgram, family: str) -> bool:
    return any(d.encapsulation_limit for d in ingress.decapsulators if d.stack.outer_family == family)


def recognised(decapsulator: ir.Decapsulator, family: str) -> str:
    """The packet comes to us and its outer protocol is the stack's."""
    own = decapsulator.own_address
    if isinstance(own, ir.FromHost):
        mine = f"ip->daddr == host.{own.member}" if family == "ipv4" else f"same_ipv6(&ip->daddr, &host.{own.member})"
    else:
        first = decapsulator.stack.layers[0]
        word = next(w for w in first.words if w.name == "saddr")
        mine = (
            f"ip->daddr == bpf_htonl({word.constant})"
            if family == "ipv4"
            else f"same_ipv6(&ip->daddr, &{word.constant})"
        )
    member = "ip->protocol" if family == "ipv4" else "ip->next_header"
    if decapsulator.encapsulation_limit:
        member = "protocol"  # what stands behind the option
    numbers = PROTOCOLS
    protocols = " || ".join(f"{member} == {numbers.get(p, str(p))}" for p in decapsulator.signature.protocols)
    return f"({protocols}) && {mine}" if len(decapsulator.signature.protocols) > 1 else f"{protocols} && {mine}"


def seen_bytes(ingress: ir.IngressProgram, family: str) -> int:
    """How many bytes behind the outermost header are looked at to tell stacks apart, beyond a UDP header."""
    marks = [m for d in ingress.decapsulators if d.stack.outer_family == family for m in d.marks]
    udp = 8 if udp_in(ingress, family) else 0
    return max((m.offset + m.bits // 8 - udp for m in marks), default=0)


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


def always_accepts(decapsulator: ir.Decapsulator) -> bool:
    return any(r.source_kind == "any" and not r.match for r in decapsulator.rules)


def from_listed(decapsulator: ir.Decapsulator) -> str:
    """A further condition: that some rule lets the packet's source send. Empty where anybody may."""
    if any(r.source_kind == "any" for r in decapsulator.rules):
        return ""
    family = decapsulator.stack.outer_family
    listed = " || ".join(f"may_send_{r.c_name}_{family}(outer)" for r in decapsulator.rules)
    return f" && ({listed})"


def all_match(decapsulator: ir.Decapsulator) -> bool:
    return all(r.match for r in decapsulator.rules)


def tells_unlisted(decapsulator: ir.Decapsulator) -> bool:
    """Whether a packet of an unlisted source is refused for another reason than one that no rule matches."""
    return all_match(decapsulator) and all(r.source_kind != "any" for r in decapsulator.rules)


RECEIVE_FILTERS: dict[str, Callable[..., Any]] = {
    f.__name__: f
    for f in (
        parameters,
        arguments,
        found_protocol,
        moved,
        word_checks,
        datagram_length,
        length_conditions,
        next_expression,
        next_member,
        next_case,
        differs_in_length,
        received_overhead,
        outer_ecn,
        lookup_tables,
        sets_mark,
        lookup_call,
        learned_value,
        tail_length,
        lookup_reason,
        received_tables,
        mark_value,
        source_condition,
        source_key,
        outer_families,
        udp_in,
        seen_bytes,
        mark_type,
        mark_condition,
        encapsulation_limit,
        recognised,
        always_accepts,
        from_listed,
        all_match,
        tells_unlisted,
    )
}

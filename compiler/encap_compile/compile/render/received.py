"""What is validated of the headers behind the outer one, as C."""

from __future__ import annotations

from typing import assert_never

from .. import ir
from ..lower.counters import refusal_member, refusals_member
from .assignments import next_name
from .variable_parts import in_bytes

SWAPS = {8: "", 16: "bpf_htons", 32: "bpf_htonl"}


def refusals(d: ir.Decapsulation) -> str:
    """Where the reasons that the library counts stand for the encapsulation."""
    return f"REFUSALS({refusals_member(d.encapsulation)})"


def counted(d: ir.Decapsulation, reason: str) -> str:
    """Where the counter of a reason stands for which packets of the encapsulation are refused."""
    return f"COUNTER({refusal_member(d.encapsulation, reason)})"


def header(layer: str, d: ir.Decapsulation) -> str:
    """A header behind the outer one: what follows a variable-length part is reached through a pointer of its own."""
    return f"{layer}->" if d.stack.is_behind(layer) else f"headers->{layer}."


def has_headers(d: ir.Decapsulation) -> bool:
    return len(d.stack.layers) > 1


def _may_be_tagged(d: ir.Decapsulation) -> bool:
    return isinstance(d.inner, ir.NamedByField) and d.inner.tagged


def read_at_once(d: ir.Decapsulation) -> tuple[str, str]:
    """(bytes that must be there behind the outer header, bytes that may follow) before any header is validated."""
    there = [d.stack.fixed_constant] if has_headers(d) else []
    more = [f"{d.stack.variable.member}_MAX".upper()] if d.stack.variable else []
    more += [f"sizeof(*{layer.member})" for layer in d.stack.behind]
    more += ["sizeof(struct vlan_tag)"] if _may_be_tagged(d) else []
    there += ["IPV4_HLEN"] if d.inner_fixed else []
    return " + ".join(there), " + ".join(more) or "0"


def word_checks(d: ir.Decapsulation, behind: bool = False) -> list[str]:
    """Every word that must have a certain value, up to a variable-length part, or `behind` it."""
    lines = []
    for check in d.checks:
        if behind == d.stack.is_behind(check.layer):
            lines += [f"if ({_differs(check, d)})", f"\treturn refuse(skb, {counted(d, check.reason)});"]
    return lines


def _differs(check: ir.WordCheck, d: ir.Decapsulation) -> str:
    word = f"{header(check.layer, d)}{check.word}"
    if isinstance(check.expected, ir.FromHost):
        host = f"host.{check.expected.member}"
        if check.bits == 48:
            return f"!is_group_mac(&{word}) && !same_mac(&{word}, &{host})"
        if check.bits == 128:
            return f"!same_ipv6(&{word}, &{host})"
        if check.expected.type == "ipv4":
            return f"{word} != {host}"
        shift = (check.mask & -check.mask).bit_length() - 1
        bits = check.mask.bit_length() - shift
        value = number(ir.ReceivedField(check.layer, check.word, check.bits, shift, bits), d)
        return f"{f'({value})' if ' ' in value else value} != {host}"
    assert isinstance(check.expected, ir.Literal)
    if check.bits == 48:
        return f"!is_group_mac(&{word}) && !is_mac(&{word}, {check.constant or 'MAC(0, 0, 0, 0, 0, 0)'})"
    if check.bits == 128:
        return f"!is_ipv6(&{word}, {check.constant or '(struct ipv6_address){}'})"
    swap = SWAPS[check.bits]
    expected = (f"{swap}({check.constant})" if swap else check.constant) if check.constant else "0"
    if not check.mask_constant:
        return f"{word} != {expected}"
    test = f"{word} & {f'{swap}({check.mask_constant})' if swap else check.mask_constant}"
    return f"({test}) != {expected}" if check.constant else test


def number(field: ir.ReceivedField, d: ir.Decapsulation) -> str:
    """A field of a received header, in host order."""
    swap = SWAPS[field.word_bits].replace("hton", "ntoh")
    word = f"{header(field.layer, d)}{field.word}"
    value = f"{swap}({word})" if swap else word
    if field.shift:
        value += f" >> {field.shift}"
    if field.shift + field.bits < field.word_bits:
        value = f"{f'({value})' if field.shift else value} & {(1 << field.bits) - 1:#x}"
    return value


def variable_length(d: ir.Decapsulation) -> str:
    """Bytes of a received variable-length part."""
    assert d.stack.variable is not None
    length = d.stack.variable.length
    counted = number(length.field, d)
    return in_bytes(f"({counted})" if " " in counted else counted, length, d.stack)


def wrong_length(d: ir.Decapsulation) -> str:
    """What no variable-length part can have as its length: then the field that counts it is wrong."""
    part = d.stack.variable
    assert part is not None
    unaligned = " || variable % sizeof(__be32)" if part.length.unit % 4 else ""
    return f"variable > {part.member.upper()}_MAX{unaligned}"


def _lengths_differ(d: ir.Decapsulation) -> str:
    """Not zero if the lengths that headers behind the outer one state are not those of the datagram."""
    terms = []
    for check in d.lengths:
        at = header(check.layer, d)
        text = _behind_variable(check, d) if d.stack.is_behind(check.layer) else _before_variable(check, d)
        terms.append(f"{text} - bpf_ntohs({at}{check.word})")
    return terms[0] if len(terms) == 1 else " | ".join(f"({term})" for term in terms) or "0"


def _before_variable(check: ir.LengthCheck, d: ir.Decapsulation) -> str:
    """The bytes from a header at a fixed offset on."""
    position = next(x for x in d.stack.layers if x.member == check.layer)
    text = "outer->datagram - outer->length"
    if position.offset > d.stack.outer_size:
        text += f" - offsetof(struct {d.stack.headers}, {check.layer})"
    return text + (f" - sizeof(headers->{check.layer})" if check.payload else "")


def _behind_variable(check: ir.LengthCheck, d: ir.Decapsulation) -> str:
    """The same behind a variable-length part: `inner.overhead` is where the headers end."""
    members = [layer.member for layer in d.stack.behind]
    rest = members[members.index(check.layer) + bool(check.payload) :]
    return " + ".join(["outer->datagram - inner.overhead", *(f"sizeof(*{member})" for member in rest)])


def checksummed(d: ir.Decapsulation) -> list[tuple[str, str, str]]:
    """(pointer to a header that has a checksum, its struct, where the counter of wrong ones stands)."""
    structs = {layer.member: layer.struct for layer in d.stack.layers}
    return [(_pointer(check.layer, d), structs[check.layer], counted(d, check.reason)) for check in d.checksums]


def _pointer(layer: str, d: ir.Decapsulation) -> str:
    return layer if d.stack.is_behind(layer) else f"&headers->{layer}"


def inner_validated(d: ir.Decapsulation) -> str:
    """The call that validates the lengths and the inner packet, which the last header names, or not."""
    before, behind = f"skb, outer, {_lengths_differ(d)}", "&inner, refused"
    match d.inner:
        case ir.NamedByItself():
            return f"validate_inner({before}, NAMED_BY_ITSELF, {behind})"
        case ir.NamedByOuter():
            return f"validate_inner({before}, NAMED_BY_OUTER, {behind})"
        case ir.NamedByField(field, numbers, tagged):
            word = f"{header(field.layer, d)}{field.word}"
            if tagged:
                return f"validate_inner_frame({before}, {word}, {behind})"
            names = ", ".join(next_name(n, numbers.space) for n in (numbers.ipv4, numbers.ipv6))
            return f"validate_inner({before}, {number(field, d)}, {names}, {behind})"
        case _:
            assert_never(d.inner)

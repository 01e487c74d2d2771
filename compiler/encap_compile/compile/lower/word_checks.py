"""What must be right in the words of a received header, and what the refusal of a wrong one is called."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .. import ir
from ..headers import catalogue
from ..headers.model import Field, Header, InternetChecksum, Length, NextProtocol, Options, Receive, Word
from .c_names import c_name

Validated = tuple[ir.Part, Field, ir.Source]  # and what is expected


def word_checks(stack: ir.Stack, names_inner: str) -> list[ir.WordCheck]:
    """Every word that must be what we would have sent, ignored bits masked out. `names_inner`: the field that does."""
    found: list[ir.WordCheck] = []
    for layer in stack.layers:
        header = catalogue.headers()[layer.header]
        for word in layer.words:
            described = next(w for w in header.words if w.name == word.name)
            validated = list(_validated(stack, layer, word, names_inner))
            for refusal in dict.fromkeys(field.refusal for _, field, _ in validated):
                parts = [j for j in validated if j[1].refusal == refusal]
                # A word that is checked in several steps names its constants by the fields.
                name = parts[0][1].name if refusal else word.name
                reason = refusal_of(layer, described, refusal)
                found += _checks(stack, layer, word, parts, name, reason)
    return found


def refusal_of(layer: ir.Layer, word: Word, of_field: str) -> str:
    """What a packet is refused for in which a word, or a field of it with a refusal of its own, is wrong."""
    again = layer.member.removeprefix(layer.header)  # `_2` of a second header of one name
    return (of_field or word.refusal or f"{layer.header}_{word.name}") + again


def port_layer(stack: ir.Stack) -> ir.Layer | None:
    """The UDP header right behind the outermost one: its destination port is how the stack is recognised."""
    return next((layer for layer in stack.layers[1:2] if layer.header == "udp"), None)


def _validated(stack: ir.Stack, layer: ir.Layer, word: ir.WordLayout, names_inner: str) -> Iterator[Validated]:
    header = catalogue.headers()[layer.header]
    sent = {p.name: p.source for w in layer.words for p in w.parts}
    ports = port_layer(stack)
    for part in word.parts:
        field = header.field(part.name)
        if _not_compared(header, field) or (layer is stack.layers[-1] and part.name == names_inner):
            continue
        if layer is stack.layers[0] and isinstance(field.role, NextProtocol):
            continue  # it is how the stack was recognised
        if layer is ports and isinstance(field.role, NextProtocol):
            continue  # likewise
        if layer is stack.layers[0] and field.receive is Receive.EXCHANGE:
            continue  # our own address: how the packet was recognised as ours
        yield part, field, sent[field.peer] if field.receive is Receive.EXCHANGE else part.source


def _checks(
    stack: ir.Stack, layer: ir.Layer, word: ir.WordLayout, validated: Sequence[Validated], name: str, reason: str
) -> Iterator[ir.WordCheck]:
    """One comparison with what is known when compiling, and one with a host value."""
    known = [(part, source) for part, _, source in validated if isinstance(source, ir.Literal)]
    literal = [(part, source.value) for part, source in known]
    mask = sum(_mask(part) for part, _ in literal)
    value = sum(number << part.shift for part, number in literal)
    sent = sum(p.source.value << p.shift for p in word.parts if isinstance(p.source, ir.Literal))
    exchanged = _peer(layer, validated)
    if mask:
        prefix = stack.constant if layer is stack.layers[0] else f"ENCAP_{c_name(stack.encapsulation)}"
        constant = f"{prefix}__{layer.member}_{name}".upper()
        # A value of the spec stands with the constant that has it, and nowhere else.
        fixed = ((part.name, source.value if not source.place else 0) for part, source in known)
        compared = [f"{field} {number}" if number else field for field, number in fixed]
        ignored = [p.name for p in word.parts if p.name not in {part.name for part, _ in literal}]
        yield ir.WordCheck(
            layer.member,
            word.name,
            word.bits,
            mask,
            ir.Literal(value),
            exchanged or (word.constant if value == sent else f"{constant}_EXPECTED" if value else ""),
            f"{constant}_COMPARED" if mask != (1 << word.bits) - 1 else "",
            f"all but {', '.join(ignored)}" if ignored and len(ignored) < len(compared) else ", ".join(compared),
            reason,
        )
    for part, _, source in validated:
        if isinstance(source, ir.FromHost):
            yield ir.WordCheck(layer.member, word.name, word.bits, _mask(part), source, "", "", "", reason)


def _peer(layer: ir.Layer, validated: Sequence[Validated]) -> str:
    """The constant of the word that has what is expected, where a field is exchanged with another: empty otherwise."""
    (_, field, _), *others = validated
    if others or field.receive is not Receive.EXCHANGE:
        return ""
    words = (w for w in layer.words for p in w.parts if p.name == field.peer and len(w.parts) == 1)
    return next((w.constant for w in words), "")


def _mask(part: ir.Part) -> int:
    return ((1 << part.bits) - 1) << part.shift


def _not_compared(header: Header, field: Field) -> bool:
    counting = header.variable_length()
    if counting is not None and header.variable is not None and field is counting[1]:
        # Options may be of any length. Opaque bytes that the spec does not name must not be there.
        return isinstance(header.variable.role, Options)
    if field.receive in (Receive.IGNORE, Receive.VERIFY):
        # A header length that is constant is compared all the same.
        return not (isinstance(field.role, Length) and field.role.extent == "header")
    return isinstance(field.role, InternetChecksum)

"""What is wrong with a field of a header's description, by its role, or with its variable-length part."""

from __future__ import annotations

from collections.abc import Iterator

from ...common.values import WIDTHS
from .model import (
    Constant,
    Critical,
    Ecn,
    Field,
    FromSpec,
    Header,
    InternetChecksum,
    Length,
    NextProtocol,
    Opaque,
    Options,
    Presence,
    Receive,
    Word,
)

EXACT = ("ipv4", "ipv6", "mac", "port")  # types that are exactly as wide as their field
KEYWORDS = ("flow", "inherit", "zero")
INHERITED = ("dscp", "ttl", "hop_limit")
EXTENTS = ("header", "variable", "datagram", "payload")
WORD = 4  # bytes: variable-length parts are made of whole words
UNITS = (1, 2, 4, 8)  # bytes by which they are counted
LONGEST_PART = 252  # bytes: see `mistakes.LONGEST`
VERIFIED = (Length, InternetChecksum, Ecn)


def field_mistakes(header: Header, word: Word, field: Field) -> Iterator[str]:
    """Everything that is wrong with a field, as `FIELD: what: what to write`."""
    for mistake in _of_role(header, word, field):
        yield f"{field.name}: {mistake}"
    for mistake in _on_receive(header, field):
        yield f"{field.name}: {mistake}"


def _of_role(header: Header, word: Word, field: Field) -> Iterator[str]:
    role = field.role
    if field.bits < 1:
        yield f"{field.bits} bits are none: write how wide it is"
        return
    most = (1 << field.bits) - 1
    alone = len(word.fields) == 1
    if isinstance(role, Constant) and not 0 <= role.value <= most:
        yield f"the constant {role.value} does not fit into {field.bits} bits: widen the field, or correct it"
    elif isinstance(role, FromSpec):
        yield from _from_spec(word, field, role, most)
    elif isinstance(role, NextProtocol) and (field.bits > 16 or word.bits > 32):
        yield "a number that names what follows has 16 bits at most: make it narrower"
    elif isinstance(role, Presence):
        if not any(f.name == role.of and isinstance(f.role, FromSpec) and f.role.optional for f in header.fields()):
            yield f"there is no optional field `{role.of}` to be present: name one, or write Constant(0)"
        if field.bits != 1:
            yield "a flag has one bit: write Field(..., 1, Presence(...))"
    elif isinstance(role, Critical):
        if header.variable is None or not isinstance(header.variable.role, Options):
            yield "the header has no options that could be critical: write Reserved()"
        if field.bits != 1:
            yield "a flag has one bit: write Field(..., 1, Critical())"
    elif isinstance(role, Length):
        yield from _length(header, word, field, role, most)
    elif isinstance(role, InternetChecksum) and not (alone and field.bits == 16):
        yield "a checksum is a word of 16 bits of its own: make it one"
    elif isinstance(role, Ecn) and field.bits != 2:
        yield "ECN has two bits: write Field(..., 2, Ecn())"
    elif isinstance(role, Opaque | Options):
        yield "a variable-length part stands behind the words: write it as the header's `variable`"


def _from_spec(word: Word, field: Field, role: FromSpec, most: int) -> Iterator[str]:
    bits = WIDTHS.get(role.type)
    if bits is None and role.type != "keyword":
        others = ", ".join((*EXACT, "dscp", "keyword"))
        yield f"there is no type `{role.type}`: write u{min(field.bits, 32)}, or one of {others}"
        return
    if bits is not None and (bits > field.bits or (role.type in EXACT and bits != field.bits)):
        instead = f'write FromSpec("u{field.bits}")' if field.bits <= 32 else f"make it of {bits} bits"
        yield f"{field.bits} bits, and a value of type {role.type} has {bits}: {instead}"
    if role.type == "keyword" and not role.keywords:
        yield "of type keyword, and there is none: write `keywords`"
    for keyword in role.keywords:
        if keyword not in KEYWORDS:
            yield f"`{keyword}` is no keyword that can be lowered: one of {', '.join(KEYWORDS)}"
    if "inherit" in role.keywords and field.name not in INHERITED:
        yield f"`inherit` copies {', '.join(INHERITED)} alone: leave it out"
    if "flow" in role.keywords and word.bits > 32:
        yield "`flow` has 32 bits at most: leave it out"
    if isinstance(role.default, str) and role.default not in role.keywords:
        yield f"the default `{role.default}` is none of its keywords: add it to `keywords`"
    limit = min(most, (1 << bits) - 1) if bits is not None else most
    for what, value in (("default", role.default), ("minimum", role.minimum), ("bare", role.bare)):
        if isinstance(value, int) and not 0 <= value <= limit:
            yield f"{what} {value} is no value of it: write one from 0 to {limit}"
    if isinstance(role.default, int) and role.default < role.minimum:
        yield f"default {role.default} is less than its minimum {role.minimum}: correct one"
    if role.optional and len(word.fields) > 1:
        yield "an optional field takes its word away with it: give it a word of its own"
    if role.identifies and (word.bits > 32 or role.type in ("keyword", "dscp")):
        yield "a field that identifies a tenant has at most 32 bits: leave `identifies` out"


def _length(header: Header, word: Word, field: Field, role: Length, most: int) -> Iterator[str]:
    if role.extent not in EXTENTS:
        yield f"there is no extent `{role.extent}`: one of {', '.join(EXTENTS)}"
    elif role.extent == "variable":
        if role.unit not in UNITS:
            yield f"a variable-length part is counted in units of 1, 2, 4 or 8 bytes: write unit={WORD}"
        if header.variable is None:
            yield "the header has no variable-length part: write Constant(0), or the `variable`"
    elif role.extent == "header":
        size = sum(w.size for w in header.words)
        if role.unit < 1 or size % role.unit or size // role.unit > most:
            yield f"{size} bytes are no whole number of {role.unit} bytes in {field.bits} bits: correct the unit"
    elif role.unit != 1 or word.bits != 16 or len(word.fields) > 1:
        yield "a length of the packet is a word of 16 bits of its own, in bytes: make it one"


def _on_receive(header: Header, field: Field) -> Iterator[str]:
    if field.receive is Receive.EXCHANGE:
        peer = next((f for f in header.fields() if f.name == field.peer), None)
        if peer is None or peer is field:
            yield f"there is no field `{field.peer}` to exchange with: write the counterpart as `peer`"
        elif peer.bits != field.bits:
            yield f"{field.bits} bits, and its peer {peer.name} has {peer.bits}: both are of one width"
    elif field.peer:
        yield "a peer is for Receive.EXCHANGE alone: leave it out"
    if isinstance(field.role, InternetChecksum) and field.receive is Receive.MATCH:
        yield "a checksum is no value to compare with: write Receive.VERIFY, or Receive.IGNORE"
    if field.receive is Receive.VERIFY and not isinstance(field.role, VERIFIED):
        yield "only lengths, checksums and ECN can be right in themselves: write Receive.MATCH or Receive.IGNORE"


def variable_mistakes(header: Header) -> Iterator[str]:
    """What is wrong with a header's variable-length part."""
    part = header.variable
    assert part is not None
    if not isinstance(part.role, Opaque | Options):
        yield f"{part.name}: a variable-length part is of role Opaque or Options: write one of them"
        return
    yield from _counted(header, part, part.role)
    if isinstance(part.role, Options):
        head = part.role.head
        shape = [(f.name, f.bits) for f in head.fields if isinstance(f.role, FromSpec)]
        last = head.fields[-1].role
        if head.bits != 32 or shape != [("class", 16), ("type", 8)] or not isinstance(last, Length):
            yield f"{part.name}: an option's head is class 16, type 8, and at the end a Length: write it so"


def _counted(header: Header, part: Field, role: Opaque | Options) -> Iterator[str]:
    """The field that says how long the part is, and how much it can say."""
    counted = header.variable_length()
    if counted is None:
        yield f'{part.name}: nothing counts it: write a field with Length("variable", unit=4)'
        return
    length = counted[1].role
    assert isinstance(length, Length)
    if length.unit not in UNITS:
        return  # said of the field itself
    besides = sum(w.size for w in header.words) if length.extent == "header" else 0
    step = max(length.unit, WORD)
    countable = ((1 << counted[1].bits) - 1) * length.unit - besides
    most = (min(countable, LONGEST_PART) + besides) // step * step - besides
    if not 0 < role.most <= most or role.most % WORD or (role.most + besides) % length.unit:
        yield f"{part.name}: {role.most} bytes at most, and {counted[1].name} can count {most}: write most={most}"
    elif isinstance(role, Options) and length.unit > WORD:
        yield f"{part.name}: options are of whole words of 4 bytes, and {counted[1].name} counts 8: write unit=4"
    elif part.bits != 8 * role.most:
        yield f"{part.name}: {part.bits} bits, and {role.most} bytes at most: write {8 * role.most} bits"

"""Which bits of a received encapsulation are known when compiling, and by which of them two are told apart.

Known is what decapsulation compares with a constant: flags, versions, numbers of what follows, literals of the spec.
Bits count from the end of the outermost IP header, most significant first, as far as every packet has them at one
place.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ...common.values import ValueProblem, parse
from ..headers.catalogue import FAMILIES, headers, resolve
from ..headers.model import (
    Constant,
    Field,
    FromSpec,
    Header,
    Length,
    NextProtocol,
    Presence,
    Receive,
    Reserved,
)
from ..headers.variable import has_variable_part
from ..spec import Encapsulation, HeaderUse, Scalar

UNITS = (8, 16, 32)  # bits that a program loads at once
VLAN_TAGS = frozenset({0x8100, 0x88A8})  # before the inner packet of a frame


class Known(NamedTuple):
    """The bits from `first` on, and the values that they can have. `what` says so: gue.variant."""

    first: int
    bits: int
    values: frozenset[int]
    what: str

    def part(self, first: int, bits: int) -> Known:
        """The same for some of its bits."""
        shift = self.first + self.bits - first - bits
        return Known(first, bits, frozenset(v >> shift & (1 << bits) - 1 for v in self.values), self.what)


def difference(one: list[Known], other: list[Known]) -> Known | None:
    """What is known of `one` and never so in `other`: no more bits than a program loads at once. None: nothing."""
    for mine in one:
        for theirs in other:
            first = max(mine.first, theirs.first)
            bits = min(mine.first + mine.bits, theirs.first + theirs.bits) - first
            if bits > 0 and not mine.part(first, bits).values & theirs.part(first, bits).values:
                return _loadable(mine.part(first, bits), theirs.part(first, bits))
    return None


def _loadable(mine: Known, theirs: Known) -> Known | None:
    """The first stretch of both, within one aligned unit, that differs."""
    if unit(mine):
        return mine
    for at in range(mine.first // 16 * 16, mine.first + mine.bits, 16):
        first = max(at, mine.first)
        bits = min(at + 16, mine.first + mine.bits) - first
        if not mine.part(first, bits).values & theirs.part(first, bits).values:
            return mine.part(first, bits)
    return None


def unit(known: Known) -> int:
    """How many bits a program loads to see it, from a multiple of them on; 0 if there is no such unit."""
    return next((u for u in UNITS if known.first // u == (known.first + known.bits - 1) // u), 0)


def known_bits(encapsulation: Encapsulation, family: str) -> list[Known]:
    """Everything that is known of what arrives in an encapsulation with an outer header of `family`."""
    uses = encapsulation.headers[1:]
    chain = [resolve(use.name, family) for use in uses]
    found: list[Known] = []
    at = 0
    for position, (use, header) in enumerate(zip(uses, chain, strict=True)):
        following = chain[position + 1] if position + 1 < len(chain) else None
        given = {word: v.value for word, v in use.values.items() if isinstance(v, Scalar)}
        layout = header.layout({**use.values, **given})
        for word in layout:
            for field in word.fields:
                values = _values(field, use, header, following)
                if values is not None:
                    first = at + word.bits - word.shift(field.name) - field.bits
                    found.append(Known(first, field.bits, values, f"{header.name}.{field.name}"))
            at += word.bits
        if has_variable_part(use.values, header):
            return found  # what follows is elsewhere in every packet
    if not chain or not chain[-1].next_protocol() or not _may_be_tagged(chain[-1]):
        versions = frozenset((4, 6))
        found.append(Known(at, 4, versions, "the inner IP version"))
    return found


def _may_be_tagged(header: Header) -> bool:
    field = header.next_protocol()
    return field is not None and isinstance(field.role, NextProtocol) and field.role.tagged


def _values(field: Field, use: HeaderUse, header: Header, following: Header | None) -> frozenset[int] | None:
    """The values that a received field can have, or None if nothing is known of it."""
    role = field.role
    counting = header.variable_length()
    if isinstance(role, Length) and counting is not None and field is counting[1]:
        return _without_part(role, use, header)
    if isinstance(role, NextProtocol) and field.name not in use.values:
        return frozenset(_numbers(role, following))
    if field.receive is Receive.EXCHANGE:
        field = header.field(field.peer)
        role = field.role
    elif field.receive is not Receive.MATCH:
        return None
    value: int | None = None
    if isinstance(role, Constant):
        value = role.value
    elif isinstance(role, Reserved):
        value = 0
    elif isinstance(role, Presence):
        value = int(role.of in use.values)
    elif isinstance(role, FromSpec | NextProtocol):
        value = _literal(field, use)
    return None if value is None else frozenset((value,))


def _without_part(role: Length, use: HeaderUse, header: Header) -> frozenset[int] | None:
    """What counts the variable-length part of a header that must have none."""
    if has_variable_part(use.values, header):
        return None
    size = sum(word.size for word in header.layout(use.values)) if role.extent == "header" else 0
    return frozenset((size // role.unit,))


def _numbers(role: NextProtocol, following: Header | None) -> Iterator[int]:
    named = [following] if following is not None else [headers()[family] for family in FAMILIES]
    yield from (h.announced_as[role.space] for h in named if role.space in h.announced_as)
    if following is None and role.tagged:
        yield from VLAN_TAGS


def _literal(field: Field, use: HeaderUse) -> int | None:
    given = use.values.get(field.name)
    default = field.role.default if isinstance(field.role, FromSpec) else None
    value = given.value if isinstance(given, Scalar) else default if given is None else None
    if value is None or (value in field.keywords and value != "zero"):
        return None
    if value == "zero" and "zero" in field.keywords:
        return 0
    try:
        parsed = parse(field.type, value)
    except ValueProblem:
        return None
    return int.from_bytes(parsed, "big") if isinstance(parsed, bytes) else parsed

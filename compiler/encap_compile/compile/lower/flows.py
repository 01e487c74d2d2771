"""The table of flows: what is kept of each, how many there can be, and for how long."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .. import ir
from ..resolved import Resolved
from .learning import DIRECTIONS, constant, kept
from .structs import VALUE_TYPES
from .tables import row_id
from .variable_parts import word_count

WAYS = 16  # flows of a bucket, as in encap_flows.h
OPENING = 60_000_000_000  # ns: longer than between two SYN-ACKs (RFC 6298, section 5), as long as the shortest `idle`
LOAD = 8  # of them when the table holds its capacity: then 4 of 1000 buckets have more flows than ways (Poisson)


def flow_table(ingress: ir.IngressProgram | None, replies: Iterable[ir.Stack]) -> ir.FlowTable:
    """What the ingress rules keep for all replies together."""
    rules = {r.name: r for r in (ingress.rules if ingress else ()) if r.learn}.values()
    members = [
        ir.StructMember(member, "__be32", f"received.{received}", array=word_count(type_))
        if word_count(type_)
        else ir.StructMember(member, VALUE_TYPES[type_].ctype, f"received.{received}")
        for member, (type_, received) in kept(replies).items()
    ]
    members.sort(key=lambda m: ALIGNMENT.get(m.ctype, 0), reverse=True)
    return ir.FlowTable(tuple(padded(members)), tuple(rules), WAYS, OPENING)


ALIGNMENT = {t.ctype: t.align for t in VALUE_TYPES.values()}
SIZES = {t.ctype: t.size for t in VALUE_TYPES.values()}


def padded(members: Sequence[ir.StructMember]) -> list[ir.StructMember]:
    """Padding to whole words by name: flows are compared word by word."""
    size = sum(SIZES[m.ctype] * (m.array or 1) for m in members)
    rest = -size % 4
    return [*members, *([ir.StructMember("pad", "__u8", array=rest)] if rest else [])]


def flow_constants(resolved: Resolved) -> ir.ConstantGroup:
    """The table's size, and per rule its number and its timeout."""
    rules = resolved.learning
    capacity = sum(r.learn.capacity * len(DIRECTIONS[r.learn.direction]) for r in rules if r.learn)
    if resolved.attributing:
        remember = resolved.spec.egress.remember
        assert remember is not None
        capacity += remember.capacity
    buckets = -(-capacity // LOAD)
    found = [
        ir.NamedConstant("FLOW_BUCKETS", str(buckets), f"for {capacity} flows"),
    ]
    for rule in rules:
        assert rule.learn is not None
        name, place = constant(rule.name), f"{rule.path}.learn"
        found.append(ir.NamedConstant(name, f"{row_id(rule.name):#010x}", f"FNV-1a of the rule's name, {place}"))
        found.append(
            ir.NamedConstant(f"IDLE_{name}", f"{rule.learn.idle}ULL", f"ns: {rule.learn.idle / 1e9:g} s, {place}")
        )
    title = "What is learned, how much of it, and for how long." if rules else "How many connections are remembered."
    return ir.ConstantGroup(title, tuple(found))

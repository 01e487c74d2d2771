"""Tables and maps of addresses as C: the key of a packet, and the order in which a table is asked."""

from __future__ import annotations

from collections.abc import Sequence

from .. import ir
from . import conditions
from .rule_values import length_constants

FAMILIES = ("ipv4", "ipv6")


def row_constant(row: ir.FixedRow, table: ir.TableMap) -> str:
    return f"{row.row_id:#010x}"


def _from_packet(member: str) -> str:
    return "packet->socket.cgroup" if member == "cgroup" else f"packet->{conditions.MEMBERS.get(member, member)}"


def key_initialisers(table: ir.TableMap, exact: bool = False, p: ir.Program | None = None) -> str:
    """Designated initialisers of a key from the packet; `exact` leaves the prefix out."""
    parts = []
    for member in table.key:
        if member.name == "prefixlen" or (member.name.startswith("pad") and member.array):
            continue
        if exact and member.name == table.prefix_member:
            continue
        source = _from_packet(member.name)
        if p is not None and member.name in ("source", "destination"):
            source = _narrowed(source, member.ctype)
        parts.append(f".{member.name} = {source}")
    return ", ".join(parts)


def _narrowed(source: str, ctype: str) -> str:
    """An address of the packet as the key's type: a table may know one family only."""
    if ctype == "struct ip_address":
        return source
    if ctype == "__be32":
        return f"{source}.word[3]"
    words = ", ".join(f"{source}.word[{i}]" for i in range(4))
    return f"{{{{{words}}}}}"


def lengths_by_family(table: ir.TableMap) -> list[tuple[str, list[int]]]:
    return [
        (family, [length for f, length in table.prefix_lengths if f == family])
        for family in FAMILIES
        if any(f == family for f, _ in table.prefix_lengths)
    ]


def cut_key(table: ir.TableMap, family: str, length: int) -> str:
    """Put the packet's address into the key, cut to a prefix length, and the length of the whole."""
    member = next(m for m in table.key if m.name == table.prefix_member)
    before = 96 if family == "ipv4" and table.mapped else 0
    bits = length_constants(table)[length]
    of_address, of_key = (f"{n} + {bits}" if n else bits for n in (before, before + table.exact_bits))
    source = _from_packet(member.name)
    cut = {
        "__be32": f"first_bits({source}.word[3], {of_address})",
        "struct ipv6_address": f"first_bits_of_ipv6({source}, {of_address})",
    }.get(member.ctype, f"first_bits_of_ip({source}, {of_address})")
    return f"key.prefixlen = {of_key};\nkey.{member.name} = {cut};"


def looked_up(maps: Sequence[ir.AddressMap]) -> list[ir.AddressMap]:
    """Those that the C looks into by functions of its own: the library looks into the others."""
    return [m for m in maps if not conditions.is_of_addresses(m)]

"""From a table of endpoints to the map that holds its rows: key, value, and the kind of lookup."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ...common import manifest
from .. import ir
from ..resolved import Table
from .c_names import c_name, fnv1a, member_name

FAMILY_BITS = {"ipv4": 32, "ipv6": 128}
MAPPED_BITS = 96  # what ::ffff:0:0/96 puts in front of an IPv4 address


class _Type(NamedTuple):
    """How a value type is kept: in C, in the manifest's words, and how wide and aligned (bytes)."""

    ctype: str
    member: str
    size: int
    align: int


VALUE_TYPES = {
    "ip": _Type("struct ip_address", "ip", 16, 4),
    "ipv4": _Type("__be32", "ipv4", 4, 4),
    "ipv6": _Type("struct ipv6_address", "ipv6", 16, 4),
    "mac": _Type("struct mac_address", "mac", 6, 2),
    **{f"u{bits}": _Type("__u8", "u8", 1, 1) for bits in range(1, 9)},
    "dscp": _Type("__u8", "u8", 1, 1),
    **{f"u{bits}": _Type("__u16", "u16", 2, 2) for bits in range(9, 17)},
    "port": _Type("__u16", "u16", 2, 2),
    **{f"u{bits}": _Type("__u32", "u32", 4, 4) for bits in range(17, 33)},
    "u64": _Type("__u64", "u64", 8, 8),
}
KEY_TYPES = {
    **VALUE_TYPES,
    "port": _Type("__be16", "be16", 2, 2),
    "protocol": _Type("__u8", "u8", 1, 1),
    "cgroup": _Type("__u64", "cgroup", 8, 8),
}


class LoweredTable(NamedTuple):
    ir: ir.TableMap
    manifest: manifest.Table


row_id = fnv1a


def lower_table(table: Table, stacks: Iterable[ir.Stack]) -> LoweredTable:
    """`stacks` are those that packets leave with."""
    encapsulations = tuple(e.name for e in table.encapsulations)
    own = [s for s in stacks if s.encapsulation in encapsulations]
    prefix_word, lengths = table.prefix_word, table.prefix_lengths
    kind = "fixed" if table.fixed else "lpm" if prefix_word and not lengths else "hash"
    key = _key(table, with_length=bool(prefix_word) and kind != "fixed")
    value = _layout(
        ([("stack", "u32", "which layout of headers")] if len(own) > 1 else [])
        + [(name, type_, "") for name, type_ in table.fields.items()]
    )
    before_prefix = 8 * sum(m.size for _, m in key if m.type != "prefixlen" and m.name != member_name(prefix_word))
    name = c_name(table.name)
    lowered = ir.TableMap(
        name=name,
        kind=kind,
        place=table.path,
        comment=_comment(table, kind),
        capacity=table.capacity,
        key=tuple(_c_member(t, m) for t, m in key),
        row=tuple(_field(t, m, table.fields) for t, m in value),
        prefix_lengths=_lengths(table.families, lengths) if kind == "hash" else (),
        prefix_member=member_name(prefix_word),
        mapped=len(table.families) == 2,
        exact_bits=before_prefix,
        key_bits=8 * sum(m.size for _, m in key if m.type != "prefixlen"),
        rows=(),
        by_name=not table.key,
        received=table.key[0].removeprefix("received.") if table.key and table.key[0].startswith("received.") else "",
    )
    described = manifest.Table(
        name=table.name,
        map="" if kind == "fixed" else lowered.map,
        kind=kind,
        capacity=table.capacity,
        columns=table.columns,
        fields=dict(table.fields),
        encapsulations=encapsulations,
        family_field=table.family_field,
        stacks=tuple(manifest_stack(s) for s in own),
        key=_manifest_layout(key),
        value=_manifest_layout(value),
        needs=dict(table.needs),
        file="" if kind == "fixed" else f"{table.name}.csv",
    )
    return LoweredTable(lowered, described)


def manifest_stack(stack: ir.Stack) -> manifest.Stack:
    overhead = stack.most_overhead
    return manifest.Stack(stack.id, stack.name, stack.encapsulation, stack.outer_family, overhead, stack.per_segment)


_Members = list[tuple[_Type, manifest.Member]]


def _key(table: Table, with_length: bool) -> _Members:
    """Exact members first, widest alignment first; the prefix last, as an LPM trie wants it."""
    if not table.key:
        return [(_Type("__u32", "rowid", 4, 4), manifest.Member("row", "rowid", 0, 4))]
    entries = []
    for column in table.columns:
        if column.type in ("prefix", "address"):
            type_ = KEY_TYPES["ip" if len(column.families) == 2 else column.families[0]]
        else:
            type_ = KEY_TYPES[column.type]
        entries.append((column.name, type_))
    entries.sort(key=lambda e: (e[0] == table.prefix_word, -e[1].align))
    if with_length:
        entries.insert(0, ("prefixlen", _Type("__u32", "prefixlen", 4, 4)))
    return _place(entries)


def _layout(fields: list[tuple[str, str, str]]) -> _Members:
    entries = [(name, VALUE_TYPES[type_]) for name, type_, _ in fields]
    if entries and entries[0][0] == "stack":
        entries[0] = ("stack", _Type("__u32", "stack", 4, 4))
    return _place(sorted(entries, key=lambda e: -e[1].align))


def _place(entries: list[tuple[str, _Type]]) -> _Members:
    """Offsets, with every gap a member of its own: the kernel compares and copies whole keys."""
    placed: _Members = []
    offset = 0
    pads = 0

    def pad(to: int) -> None:
        nonlocal offset, pads
        if offset % to:
            gap = to - offset % to
            placed.append((_Type("__u8", "pad", gap, 1), manifest.Member(f"pad{pads or ''}", "pad", offset, gap)))
            pads += 1
            offset += gap

    for name, type_ in entries:
        pad(type_.align)
        placed.append((type_, manifest.Member(member_name(name), type_.member, offset, type_.size)))
        offset += type_.size
    pad(max((t.align for _, t in entries), default=1))
    return placed


def place_members(entries: list[tuple[str, str]]) -> _Members:
    """Lay out (name, value type) pairs as a C compiler does, padding made explicit."""
    return _place([(name, value_type(type_)) for name, type_ in entries])


def value_type(name: str) -> _Type:
    """A value type, or `bytes` with a number, or `u32x` with one."""
    if name.startswith("bytes"):
        return _Type("__u8", "bytes", int(name[5:]), 1)
    if name.startswith("u32x"):
        return _Type("__u32", "u32s", 4 * int(name[4:]), 4)
    return VALUE_TYPES[name]


def manifest_layout(members: _Members) -> manifest.Layout:
    return _manifest_layout(members)


def _manifest_layout(members: _Members) -> manifest.Layout:
    last = members[-1][1] if members else None
    return manifest.Layout(last.offset + last.size if last else 0, tuple(m for _, m in members))


def c_member(type_: _Type, member: manifest.Member) -> ir.StructMember:
    return _c_member(type_, member)


def _c_member(type_: _Type, member: manifest.Member) -> ir.StructMember:
    array = member.size if member.type in ("pad", "bytes") else 0
    return ir.StructMember(member.name, type_.ctype, array=array)


def _field(type_: _Type, member: manifest.Member, fields: Iterable[str]) -> ir.StructMember:
    """A member of a row: what the spec names, or the stack's number, or padding."""
    found = _c_member(type_, member)
    if member.type in ("stack", "pad"):
        return found
    return found._replace(name=f"field_{c_name(next(f for f in fields if member_name(f) == member.name))}")


def _lengths(families: tuple[str, ...], lengths: tuple[int, ...]) -> tuple[tuple[str, int], ...]:
    """(family, length) pairs to try, the longest first within each family."""
    return tuple(
        (family, length)
        for family in families
        for length in sorted(lengths, reverse=True)
        if length <= FAMILY_BITS[family]
    )


def _comment(table: Table, kind: str) -> str:
    found_by = ", ".join(table.key) if table.key else "the row's name"
    how = {
        "lpm": "longest prefix first",
        "hash": "exact" if not table.prefix_lengths else "exact, for each promised prefix length",
        "fixed": "compiled in",
    }[kind]
    return f"found by {found_by}, {how}"

"""Where the members of a generated struct stand: a key or a row of a map, the host values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from .. import ir


class Type(NamedTuple):
    """How a value type is kept: in C, in the manifest's words, and how wide and aligned (bytes)."""

    ctype: str
    name: str
    size: int
    align: int


VALUE_TYPES = {
    "ip": Type("struct ip_address", "ip", 16, 4),
    "ipv4": Type("__be32", "ipv4", 4, 4),
    "ipv6": Type("struct ipv6_address", "ipv6", 16, 4),
    "mac": Type("struct mac_address", "mac", 6, 2),
    **{f"u{bits}": Type("__u8", "u8", 1, 1) for bits in range(1, 9)},
    "dscp": Type("__u8", "u8", 1, 1),
    **{f"u{bits}": Type("__u16", "u16", 2, 2) for bits in range(9, 17)},
    "port": Type("__u16", "u16", 2, 2),
    **{f"u{bits}": Type("__u32", "u32", 4, 4) for bits in range(17, 33)},
    "u64": Type("__u64", "u64", 8, 8),
}
KEY_TYPES = {
    **VALUE_TYPES,
    "port": Type("__be16", "be16", 2, 2),
    "protocol": Type("__u8", "u8", 1, 1),
    "cgroup": Type("__u64", "cgroup", 8, 8),
}
PREFIX_LENGTH = Type("__u32", "prefixlen", 4, 4)
ROW_ID = Type("__u32", "rowid", 4, 4)
STACK = Type("__u32", "stack", 4, 4)
ITEMS = {"bytes": 1, "u32s": 4, "pad": 1}  # of what is an array in C: bytes of an item


class Entry(NamedTuple):
    """A member that has no place yet. `label` is what the manifest calls it, if that is not its name in the C."""

    name: str
    type: Type
    label: str = ""


def value_type(name: str) -> Type:
    """A value type, or `bytes` with a number, or `u32x` with one."""
    if name.startswith("bytes"):
        return Type("__u8", "bytes", int(name[5:]), 1)
    if name.startswith("u32x"):
        return Type("__u32", "u32s", 4 * int(name[4:]), 4)
    return VALUE_TYPES[name]


def place(entries: Iterable[Entry]) -> tuple[ir.StructMember, ...]:
    """As a C compiler does, but with every gap a member of its own: the kernel compares and copies whole keys."""
    placed: list[ir.StructMember] = []
    offset = pads = 0
    aligned = 1
    for entry in entries:
        if offset % entry.type.align:
            gap = entry.type.align - offset % entry.type.align
            placed.append(_padding(pads, offset, gap))
            pads, offset = pads + 1, offset + gap
        placed.append(_member(entry, offset))
        offset += entry.type.size
        aligned = max(aligned, entry.type.align)
    if offset % aligned:
        placed.append(_padding(pads, offset, aligned - offset % aligned))
    return tuple(placed)


def _padding(number: int, offset: int, size: int) -> ir.StructMember:
    return _member(Entry(f"pad{number or ''}", Type("__u8", "pad", size, 1)), offset)


def _member(entry: Entry, offset: int) -> ir.StructMember:
    type_ = entry.type
    array = type_.size // ITEMS[type_.name] if type_.name in ITEMS else 0
    label = entry.label or entry.name
    return ir.StructMember(
        entry.name, type_.ctype, array=array, type=type_.name, label=label, offset=offset, size=type_.size
    )


def bits(members: Iterable[ir.StructMember]) -> int:
    """How wide they are together."""
    return 8 * sum(member.size for member in members)

"""From a table of endpoints to the map that holds its rows: key, value, and the kind of lookup."""

from __future__ import annotations

from collections.abc import Sequence

from ...common.manifest import KeyColumn
from .. import ir
from ..resolved import Table
from .c_names import c_name, fnv1a, member_name
from .structs import KEY_TYPES, PREFIX_LENGTH, ROW_ID, STACK, VALUE_TYPES, Entry, bits, place

FAMILY_BITS = {"ipv4": 32, "ipv6": 128}
row_id = fnv1a


def lower_table(table: Table, own: Sequence[ir.Stack]) -> ir.TableMap:
    """`own` are the stacks that its rows may take. Rows that are compiled in are not in it yet."""
    prefix_word, lengths = table.prefix_word, table.prefix_lengths
    kind = "fixed" if table.fixed else "lpm" if prefix_word and not lengths else "hash"
    key = _key(table, with_length=bool(prefix_word) and kind != "fixed")
    exact = [m for m in key if m.type != "prefixlen" and m.name != member_name(prefix_word)]
    return ir.TableMap(
        name=c_name(table.name),
        kind=kind,
        place=table.path,
        comment=_comment(table, kind),
        capacity=table.capacity,
        key=key,
        row=_row(table, with_stack=len(own) > 1),
        prefix_lengths=_lengths(table.families, lengths) if kind == "hash" else (),
        prefix_member=member_name(prefix_word),
        mapped=len(table.families) == 2,
        exact_bits=bits(exact),
        key_bits=bits(m for m in key if m.type != "prefixlen"),
        rows=(),
        by_name=not table.key,
        received=table.key[0].removeprefix("received.") if table.key and table.key[0].startswith("received.") else "",
    )


def _key(table: Table, with_length: bool) -> tuple[ir.StructMember, ...]:
    """Exact members first, widest alignment first; the prefix last, as an LPM trie wants it."""
    if not table.key:
        return place([Entry("row", ROW_ID)])
    entries = [Entry(member_name(column.name), KEY_TYPES[_key_type(column)]) for column in table.columns]
    last = member_name(table.prefix_word)
    entries.sort(key=lambda e: (e.name == last, -e.type.align))
    return place([*([Entry("prefixlen", PREFIX_LENGTH)] if with_length else []), *entries])


def _key_type(column: KeyColumn) -> str:
    if column.type in ("prefix", "address"):
        return "ip" if len(column.families) == 2 else column.families[0]
    return column.type


def _row(table: Table, with_stack: bool) -> tuple[ir.StructMember, ...]:
    entries = [Entry(f"field_{c_name(f)}", VALUE_TYPES[type_], member_name(f)) for f, type_ in table.fields.items()]
    if with_stack:  # which layout of headers
        entries.insert(0, Entry("stack", STACK))
    return place(sorted(entries, key=lambda e: -e.type.align))


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

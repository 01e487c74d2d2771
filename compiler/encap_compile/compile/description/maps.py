"""The maps that the loader fills: tables and their rows, sets of addresses, long prefix lists, host values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...common import manifest
from .. import ir
from ..headers.catalogue import FAMILIES
from ..resolved import Resolved, Table
from .routed import tables_routed


def described_tables(resolved: Resolved, program: ir.Program) -> Iterator[manifest.Table]:
    lowered = {t.place: t for t in (*program.tables, *program.unread_tables)}
    sets = {m.table for m in program.address_maps}
    routed = tables_routed(resolved)
    for table in resolved.tables.values():
        found = lowered[table.path]
        taken = {e.name for e in table.encapsulations if e.sent}
        yield _table(
            table,
            found,
            [s for s in program.stacks if s.encapsulation in taken],
            found.name in sets or table.name in routed,
        )


def _table(table: Table, lowered: ir.TableMap, stacks: Sequence[ir.Stack], fills_set: bool) -> manifest.Table:
    """`fills_set`: rows are in the bundle even if they are compiled in, because a set or routes are made of them."""
    return manifest.Table(
        name=table.name,
        map="" if table.fixed else lowered.map,
        kind=lowered.kind,
        capacity=table.capacity,
        columns=table.columns,
        fields=dict(table.fields),
        encapsulations=tuple(e.name for e in table.encapsulations),
        family_field=table.family_field,
        stacks=tuple(described_stack(s) for s in stacks),
        key=layout(lowered.key),
        value=layout(lowered.row),
        needs=dict(table.needs),
        file=f"{table.name}.csv" if fills_set or not table.fixed else "",
    )


def described_stack(stack: ir.Stack) -> manifest.Stack:
    most = stack.most_overhead
    least = stack.overhead if stack.overhead != most else 0
    return manifest.Stack(stack.id, stack.name, stack.encapsulation, stack.outer_family, most, stack.per_segment, least)


def source_sets(resolved: Resolved, program: ir.Program) -> Iterator[manifest.SourceSet]:
    names = {table.path: table.name for table in resolved.tables.values()}
    tables = {t.name: names[t.place] for t in (*program.tables, *program.unread_tables)}
    for found in program.address_maps:
        if found.table:
            yield manifest.SourceSet(found.name, tables[found.table], found.field, layout(found.key), found.capacity)


def prefix_sets(program: ir.Program) -> Iterator[manifest.PrefixSet]:
    for found in program.address_maps:
        if not found.table:
            file = f"{found.name}.prefixes.csv"  # no table's rows: their names have no dot
            key = layout(found.key)
            yield manifest.PrefixSet(found.name, found.name, file, FAMILIES, key, found.capacity)


def prefix_files(program: ir.Program) -> dict[str, str]:
    """The bundle's files for long prefix lists: name -> text."""
    lists = {found.name: found.prefixes for found in program.address_maps}
    return {s.file: "".join(f"{prefix}\n" for prefix in lists[s.map]) for s in prefix_sets(program)}


def host_layout(program: ir.Program) -> manifest.Layout:
    return layout([found.member for found in program.host])


def host_members(program: ir.Program) -> Iterator[manifest.HostMember]:
    for found in program.host:
        if found.source:
            needed_by = tuple(f"stack:{stack}" for stack in found.stacks)
            yield manifest.HostMember(_member(found.member), found.source, found.family, needed_by, found.own)


def layout(members: Sequence[ir.StructMember]) -> manifest.Layout:
    size = members[-1].offset + members[-1].size if members else 0
    return manifest.Layout(size, tuple(_member(member) for member in members))


def _member(member: ir.StructMember) -> manifest.Member:
    return manifest.Member(member.label, member.type, member.offset, member.size)

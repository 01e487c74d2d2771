"""What maps hold of cgroups: the numbers of those that are named, and rows that are found by one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from ...common.manifest import Manifest, Table
from ..kernel.maps import Packed
from ..kernel.objects import MapDefinition
from .cgroups import FORMER, Cgroups
from .contents import Content, Wanted

if TYPE_CHECKING:
    from ...common.rows import EncodedRows

NUMBER = 8  # bytes of a cgroup's number, and of a set of cgroups
OF_ROW = 1 << 63  # among the bits of a cgroup: rows are found by it (CGROUP_OF_ROW in the C)
Entry = tuple[bytes, bytes]


def with_cgroups(
    manifest: Manifest, wanted: Wanted, cgroups: Cgroups, definitions: Mapping[str, MapDefinition]
) -> Wanted:
    """The contents with each cgroup's number in place of its path; rows whose cgroup is not there are left out."""
    tables = {t.map: t for t in manifest.tables if t.map}
    contents = []
    for content in wanted.contents:
        rows = wanted.rows[content.table] if content.kind == "rows" else None
        keyed = rows is not None and rows.cgroups
        contents.append(_rows(content, tables[content.map], rows, cgroups) if rows and keyed else content)
    if manifest.cgroup_map:
        definition = definitions.get(manifest.cgroup_map)
        contents.append(_named(manifest, wanted, cgroups, definition.max_entries if definition else 0))
    return Wanted(contents, wanted.rows)


def _named(manifest: Manifest, wanted: Wanted, cgroups: Cgroups, room: int) -> Content:
    """A cgroup's number -> its bits, for each cgroup that is there and that rules or rows name."""
    bits = {c.path: 1 << c.bit for c in manifest.cgroups}
    for path in wanted.cgroups:
        bits[path] = bits.get(path, 0) | OF_ROW
    paths = list(bits)
    entries = _entries(paths, cgroups, room, lambda i, number: (number, _bytes(bits[paths[i]])))
    return Content(manifest.cgroup_map, "cgroups", NUMBER, NUMBER, entries, room)


def _rows(content: Content, table: Table, rows: EncodedRows, cgroups: Cgroups) -> Content:
    """Each row by the number of its cgroup, which is written into its key."""
    member = next(m for m in table.key.members if m.type == "cgroup")
    begin, end = member.offset, member.offset + member.size
    encoded = list(content.entries.items(content.key_size, content.value_size))

    def entry(i: int, number: bytes) -> Entry:
        key, value = encoded[i]
        return key[:begin] + number + key[end:], value

    entries = _entries(rows.cgroups, cgroups, content.capacity, entry)
    pending = tuple(rows.describe(i) for i, path in enumerate(rows.cgroups) if not cgroups.numbers[path])
    return replace(content, entries=entries, pending=pending)


def _entries(paths: Sequence[str], cgroups: Cgroups, room: int, entry: Callable[[int, bytes], Entry]) -> Packed:
    """One for the cgroup at each path now, and then, as far as there is room, for those before it, the last first."""
    found = [entry(i, _bytes(cgroups.numbers[path])) for i, path in enumerate(paths) if cgroups.numbers[path]]
    former = (
        entry(i, _bytes(cgroups.former[path][generation]))
        for generation in range(FORMER)
        for i, path in enumerate(paths)
        if generation < len(cgroups.former.get(path, ()))
    )
    found += islice(former, max(room - len(found), 0))
    return Packed(len(found), b"".join(key for key, _ in found), b"".join(value for _, value in found))


def _bytes(number: int) -> bytes:
    return number.to_bytes(NUMBER, sys.byteorder)

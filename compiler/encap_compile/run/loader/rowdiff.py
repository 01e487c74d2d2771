"""The difference between a map and what it should hold."""

from __future__ import annotations

import sys
from itertools import compress
from operator import ne

from ...common.record import Record
from ..kernel.maps import Map, Packed
from ..kernel.uapi import BPF_MAP_TYPE_LPM_TRIE

NOTHING = Packed(0, b"", b"")


class Difference(Record):
    """What to write, and the keys to delete. `added` and `changed` together are `write.count`."""

    added: int
    changed: int
    removed: int
    write: Packed
    delete: bytes
    kept: int = 0

    @property
    def any(self) -> bool:
        return bool(self.added or self.changed or self.removed)


def whole(wanted: Packed) -> Difference:
    """Everything, for a map that is empty."""
    return Difference(wanted.count, 0, 0, wanted, b"")


def difference(existing: Map | None, wanted: Packed) -> Difference:
    """Compare entry by entry; without a map, everything is to be added. Keys are there once. Raises KernelError."""
    if existing is None:
        return whole(wanted)
    sizes = existing.info.key_size, existing.info.value_size
    old = dict(existing.entries().items(*sizes))
    keys, values = wanted.pieces(*sizes)
    before = list(map(old.get, keys))  # whole columns: a million entries are compared by loops in C
    if before == values and len(old) == len(keys):
        return Difference(0, 0, 0, NOTHING, b"", len(keys))
    differs = list(map(ne, before, values))
    known = len(keys) - before.count(None)
    added = len(keys) - known
    new_keys, new_values = list(compress(keys, differs)), list(compress(values, differs))
    gone = list(old.keys() - set(keys)) if known < len(old) else []
    if gone and existing.info.type == BPF_MAP_TYPE_LPM_TRIE:
        written = set(keys)  # to a trie, keys that differ beyond the prefix are one: deleted, it would be gone
        gone = [key for key in gone if _without_host_bits(key) not in written]
    write = Packed(len(new_keys), b"".join(new_keys), b"".join(new_values))
    return Difference(added, len(new_keys) - added, len(gone), write, b"".join(gone), len(old) - len(gone))


def _without_host_bits(key: bytes) -> bytes:
    """A key of an LPM trie: the prefix's length, a u32 of the machine's byte order, then the bits that it is about."""
    length, data = key[:4], key[4:]
    beyond = max(8 * len(data) - int.from_bytes(length, sys.byteorder), 0)
    return length + (int.from_bytes(data) >> beyond << beyond).to_bytes(len(data))

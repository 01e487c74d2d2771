"""The difference between a map and what it should hold."""

from __future__ import annotations

from dataclasses import dataclass

from ..kernel.maps import Map, Packed

NOTHING = Packed(0, b"", b"")


@dataclass(frozen=True)
class Difference:
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
    """Compare entry by entry; without a map, everything is to be added. Raises KernelError."""
    if existing is None:
        return whole(wanted)
    info = existing.info
    sizes = info.key_size, info.value_size
    old = dict(existing.entries().items(*sizes))
    new = dict(wanted.items(*sizes))
    if old == new:
        return Difference(0, 0, 0, NOTHING, b"", len(new))
    missing = object()
    keys, values, added, changed = [], [], 0, 0
    for key, value in new.items():
        before = old.get(key, missing)
        if before != value:
            keys.append(key)
            values.append(value)
            added += before is missing
            changed += before is not missing
    gone = [key for key in old if key not in new]
    write = Packed(len(keys), b"".join(keys), b"".join(values))
    return Difference(added, changed, len(gone), write, b"".join(gone), len(old) - len(gone))

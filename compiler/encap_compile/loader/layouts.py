"""The identity of a map's layout: two programs may share a map only if both read its bytes alike."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from ..kernel.info import MapInfo
from ..kernel.objects import MapDefinition
from ..manifest import Layout, Manifest

HASH_LENGTH = 8  # hexadecimal digits in a pin's name
COUNTERS = "counters"
FLOWS = "flow_table"
HOST_SECTION = ".rodata.host"


def layout_hashes(manifest: Manifest, definitions: Mapping[str, MapDefinition]) -> dict[str, str]:
    """For every map that instances share, a hash over all that its readers and writers must agree on."""
    meanings = _meanings(manifest)
    return {
        name: _hash([d.type, d.key_size, d.value_size, d.max_entries, d.flags, meanings.get(name)])
        for name, d in definitions.items()
        if not d.internal
    }


def _meanings(manifest: Manifest) -> dict[str, object]:
    found: dict[str, object] = {
        # A row says its stack by number, so the numbers' meaning is a part of the layout.
        t.map: [_layout(t.key), _layout(t.value), [[s.id, s.name] for s in t.stacks]]
        for t in manifest.tables
        if t.map
    }
    found.update({s.map: _layout(s.key) for s in manifest.source_sets})
    found.update({s.map: _layout(s.key) for s in manifest.prefix_sets})
    found[FLOWS] = list(manifest.flows)
    # What sockets have chosen has no entry here: its map is the same in every version.
    found[manifest.cgroup_map] = [[c.path, c.bit] for c in manifest.cgroups]
    found[COUNTERS] = [[c.name, c.offset] for c in manifest.counters]
    return found


def _layout(layout: Layout) -> list[object]:
    return [layout.size, [[m.name, m.type, m.offset, m.size] for m in layout.members]]


def _hash(what: object) -> str:
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:HASH_LENGTH]


def fits(definition: MapDefinition, info: MapInfo) -> bool:
    """Whether an existing map is what the object declares; flags that the kernel adds by itself do not matter."""
    return (definition.type, definition.key_size, definition.value_size, definition.max_entries) == (
        info.type,
        info.key_size,
        info.value_size,
        info.max_entries,
    )

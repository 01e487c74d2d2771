"""What the bytes of each map mean: what programs that share a map must agree on, beside its type and sizes."""

from __future__ import annotations

from .manifest import Layout, Manifest

COUNTERS = "counters"
FLOWS = "flow_table"


def map_meanings(manifest: Manifest) -> dict[str, object]:
    """By the map's name, as plain data; a map without an entry is the same in every version."""
    found: dict[str, object] = {
        # A row says its stack by number, so the numbers' meaning is a part of the layout.
        t.map: [layout_data(t.key), layout_data(t.value), [[s.id, s.name] for s in t.stacks]]
        for t in manifest.tables
        if t.map
    }
    found.update({s.map: layout_data(s.key) for s in manifest.source_sets})
    found.update({s.map: layout_data(s.key) for s in manifest.prefix_sets})
    found[FLOWS] = list(manifest.flows)
    # What sockets have chosen has no entry here: its map is the same in every version.
    found[manifest.cgroup_map] = [[c.path, c.bit] for c in manifest.cgroups]
    found[COUNTERS] = [[c.name, c.offset] for c in manifest.counters]
    return found


def layout_data(layout: Layout) -> list[object]:
    return [layout.size, [[m.name, m.type, m.offset, m.size] for m in layout.members]]

"""The identity of a map's layout: two programs may share a map only if both read its bytes alike."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from ...common.manifest import Manifest
from ...common.map_meanings import COUNTERS, FLOWS, map_meanings
from ..kernel.info import MapInfo
from ..kernel.objects import MapDefinition

__all__ = ["COUNTERS", "FLOWS", "HASH_LENGTH", "HOST_SECTION", "fits", "layout_hashes"]
HASH_LENGTH = 8  # hexadecimal digits in a pin's name
HOST_SECTION = ".rodata.host"


def layout_hashes(manifest: Manifest, definitions: Mapping[str, MapDefinition]) -> dict[str, str]:
    """For every map that instances share, a hash over all that its readers and writers must agree on."""
    meanings = map_meanings(manifest)
    return {
        name: _hash([d.type, d.key_size, d.value_size, d.max_entries, d.flags, meanings.get(name)])
        for name, d in definitions.items()
        if not d.internal
    }


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

"""The bytes of `struct host` for the machine that tests run on, from the values that the model is given."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from ..common.manifest import Manifest

MAPPED = bytes(10) + b"\xff\xff"  # RFC 4291, section 2.5.5.2


def host_bytes(manifest: Manifest, host: Mapping[str, int | bytes]) -> bytes:
    """`host` are the values by their members' names."""
    found = bytearray(manifest.host_layout.size)
    for member in (m.member for m in manifest.host_members):
        value = host[member.name]
        if isinstance(value, int):
            data = value.to_bytes(member.size, "big" if member.type.startswith("be") else sys.byteorder)
        else:
            data = MAPPED + value if member.size == 16 and len(value) == 4 else value
        found[member.offset : member.offset + member.size] = data.ljust(member.size, b"\0")
    return bytes(found)

"""Digests by which what a map holds, and what it was filled from, are known again."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

from ...common.regular_file import open_regular
from ..kernel.maps import Packed

LENGTH = 16  # hexadecimal digits shown and stored: against accidents, not against root


def entries_digest(entries: Packed, key_size: int, value_size: int) -> str:
    """The same for the same entries in any order: SHA-256 over the sorted entries, shortened."""
    digest = hashlib.sha256()
    for key, value in sorted(entries.items(key_size, value_size)):
        digest.update(key + value)
    return digest.hexdigest()[:LENGTH]


def file_sha256(path: Path) -> str:
    """In hexadecimal; empty if it cannot be read."""
    with suppress(OSError), open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
    return ""

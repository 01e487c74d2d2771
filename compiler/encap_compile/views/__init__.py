"""How `encapctl` shows its results: text for people, JSON with `format_version` for programs."""

from __future__ import annotations

FORMAT_VERSION = 1


def counted(count: int, word: str) -> str:
    """`1 map`, `2 maps`."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"

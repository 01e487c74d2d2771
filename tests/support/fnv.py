"""FNV-1a, 32 bit, as an application would write it: numbers of levels and rules are by it."""

from __future__ import annotations


def fnv1a(name: str) -> int:
    number = 0x811C9DC5
    for byte in name.encode():
        number = (number ^ byte) * 0x01000193 & 0xFFFFFFFF
    return number

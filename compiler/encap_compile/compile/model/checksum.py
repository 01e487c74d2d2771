"""The Internet checksum, and its change when a word of what it covers changes: RFC 1071, RFC 1624."""

from __future__ import annotations


def changed(checksum: int, old: int, new: int) -> int:
    """RFC 1624, equation 3."""
    total = (~checksum & 0xFFFF) + (~old & 0xFFFF) + new
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def swapped(word: int) -> int:
    return (word & 0xFF) << 8 | word >> 8

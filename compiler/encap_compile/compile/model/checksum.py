"""The Internet checksum, and its change when a word of what it covers changes: RFC 1071, RFC 1624."""

from __future__ import annotations


def is_right(data: bytes) -> bool:
    """Whether data that carry their own checksum sum up to all ones."""
    total = sum(int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2))
    return total != 0 and total % 0xFFFF == 0


def changed(checksum: int, old: int, new: int) -> int:
    """RFC 1624, equation 3."""
    total = (~checksum & 0xFFFF) + (~old & 0xFFFF) + new
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def swapped(word: int) -> int:
    return (word & 0xFF) << 8 | word >> 8

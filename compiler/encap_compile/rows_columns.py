"""Whole columns of cells to values, fast: one tight loop a type, and no explanation.

A cell that is wrong raises some exception; `values` then finds out what is wrong, cell by cell.
Results: bytes in network byte order for addresses and MACs, host-order integers for numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from re import compile as pattern
from socket import AF_INET, AF_INET6, inet_pton

from . import values
from .values import MAPPED

_MASKS4 = {str(n): (n, (1 << (32 - n)) - 1) for n in range(33)} | {"": (32, 0)}
_MASKS6 = {str(n): (n, (1 << (128 - n)) - 1) for n in range(129)} | {"": (128, 0)}
_MACS = pattern(r"(?:[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5}\n)*")
_ZEROS = {"ip": bytes(16), "ipv4": bytes(4), "ipv6": bytes(16), "mac": bytes(6)}

Column = Sequence[int] | Sequence[bytes]


class _Memo(dict[str, int]):
    """Parses a number once per distinct text."""

    def __init__(self, parser: Callable[[str], int | bytes]) -> None:
        super().__init__()
        self.parser = parser

    def __missing__(self, text: str) -> int:
        number = self[text] = int(self.parser(text))  # type: ignore[arg-type]
        return number


def zero(type_: str) -> int | bytes:
    """What stands in a field that a row leaves out."""
    return _ZEROS.get(type_, 0)


def convert(type_: str, cells: Sequence[str]) -> Column:
    """Every cell's value. Raises some exception (ValueProblem, OSError, ValueError) if any cell is wrong."""
    if type_ == "ipv4":
        found = [inet_pton(AF_INET, c) for c in cells]
        return _usable(found, bytes(4), b"\xff" * 4)
    if type_ == "ipv6":
        found = [inet_pton(AF_INET6, c) for c in cells]
        if any(f.startswith(MAPPED) for f in found):
            raise ValueError
        return _usable(found, bytes(16))
    if type_ == "ip":
        four = MAPPED
        found = [inet_pton(AF_INET6, c) if ":" in c else four + inet_pton(AF_INET, c) for c in cells]
        if any(f.startswith(four) and ":" in c for f, c in zip(found, cells, strict=True)):
            raise ValueError
        return _usable(found, bytes(16), MAPPED + bytes(4), MAPPED + b"\xff" * 4)
    if type_ == "mac":
        text = "\n".join(cells) + "\n" if cells else ""
        if not _MACS.fullmatch(text):
            raise ValueError
        packed = bytes.fromhex(text.replace(":", ""))
        if len(packed) != 6 * len(cells):
            raise ValueError  # a line break within a cell
        return [packed[i : i + 6] for i in range(0, len(packed), 6)]
    memo = _Memo(values.PARSERS[type_])
    return [memo[c] for c in cells]


def convert_prefixes(cells: Sequence[str]) -> tuple[list[bytes], list[int]]:
    """(addresses, 4 or 16 bytes; prefix lengths in bits). Raises some exception if any cell is wrong."""
    addresses, lengths = [], []
    from_bytes = int.from_bytes
    for cell in cells:
        address, _, text = cell.partition("/")
        if ":" in address:
            packed = inet_pton(AF_INET6, address)
            length, host_bits = _MASKS6[text]
            if packed.startswith(MAPPED):
                raise ValueError
        else:
            packed = inet_pton(AF_INET, address)
            length, host_bits = _MASKS4[text]
        if from_bytes(packed, "big") & host_bits:
            raise ValueError
        addresses.append(packed)
        lengths.append(length)
    if any(c.endswith("/") for c in cells):
        raise ValueError
    return addresses, lengths


def _usable(found: list[bytes], *unusable: bytes) -> list[bytes]:
    if any(u in found for u in unusable):
        raise ValueError
    return found

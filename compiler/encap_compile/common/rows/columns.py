"""Whole columns of cells to values, fast: one tight loop a type, and no explanation.

A cell that is wrong raises some exception; `values` then finds out what is wrong, cell by cell.
Results: bytes in network byte order for addresses and MACs, host-order integers for numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import repeat
from operator import and_
from re import compile as pattern
from socket import AF_INET, AF_INET6, inet_pton
from struct import unpack

from .. import values
from ..values import LIMITS, MAPPED

_HOST_BITS4 = tuple((1 << (32 - n)) - 1 for n in range(33))
_HOST_BITS6 = tuple((1 << (128 - n)) - 1 for n in range(129))
_MAC_SIGNS = ((2, ":"), (5, ":"), (8, ":"), (11, ":"), (14, ":"), (17, "\n"))
_LENGTHS = {str(n): n for n in range(129)}
_NOT_PLAIN = pattern(r"[^0-9\n]|(?:^|\n)(?:0[0-9]|\n)")
_ZEROS = {"ip": bytes(16), "ipv4": bytes(4), "ipv6": bytes(16), "mac": bytes(6)}

Column = Sequence[int] | Sequence[bytes]


class _Memo(dict[str, int]):
    """Parses a number once per distinct text."""

    def __init__(self, parser: Callable[[str], int | bytes]) -> None:
        super().__init__()
        self.parser = parser

    def __missing__(self, text: str) -> int:
        number = self[text] = int(self.parser(text))
        return number


def zero(type_: str) -> int | bytes:
    """What stands in a field that a row leaves out."""
    return _ZEROS.get(type_, 0)


def convert(type_: str, cells: Sequence[str]) -> Column:
    """Every cell's value. Raises some exception (ValueProblem, OSError, ValueError) if any cell is wrong."""
    text = "\n".join(cells)
    if type_ == "ipv4":
        return _usable(list(map(inet_pton, repeat(AF_INET), cells)), bytes(4), b"\xff" * 4)
    if type_ == "ipv6" or (type_ == "ip" and text.count(":") >= len(cells)):
        fours = [c for c in cells if ":" not in c] if type_ == "ip" else []
        if not fours:
            return _usable(_sixes(cells), bytes(16))
    if type_ == "ip":
        map_four = MAPPED.__add__
        if ":" not in text:
            found = list(map(map_four, map(inet_pton, repeat(AF_INET), cells)))
        else:
            sixes = iter(_sixes([c for c in cells if ":" in c]))
            found = [next(sixes) if ":" in c else map_four(inet_pton(AF_INET, c)) for c in cells]
        return _usable(found, bytes(16), MAPPED + bytes(4), MAPPED + b"\xff" * 4)
    if type_ == "cgroup":
        return list(map(values.cgroup, cells))
    if type_ == "mac":
        return _macs(text, len(cells))
    if type_ in LIMITS and not _NOT_PLAIN.search(text) and text.count("\n") == len(cells) - 1:
        numbers = list(map(int, cells))
        least, most = LIMITS[type_]
        if numbers and not least <= min(numbers) <= max(numbers) <= most:
            raise ValueError
        return numbers
    memo = _Memo(values.PARSERS[type_])
    return [memo[c] for c in cells]


def _macs(text: str, count: int) -> list[bytes]:
    """MAC addresses, one a line: 17 characters each, so the colons and line ends stand at fixed steps."""
    text += "\n"
    if count and (len(text) != 18 * count or any(text[at::18] != sign * count for at, sign in _MAC_SIGNS)):
        raise ValueError
    packed = bytes.fromhex(text.replace(":", "").replace("\n", ""))
    if len(packed) != 6 * count:
        raise ValueError
    return [packed[i : i + 6] for i in range(0, len(packed), 6)]


def _sixes(cells: Sequence[str]) -> list[bytes]:
    found = list(map(inet_pton, repeat(AF_INET6), cells))
    if any(map(bytes.startswith, found, repeat(MAPPED))):
        raise ValueError
    return found


def convert_prefixes(cells: Sequence[str]) -> tuple[list[bytes], list[int]]:
    """(addresses, 4 or 16 bytes; prefix lengths in bits). Raises some exception if any cell is wrong."""
    if ":" not in "".join(cells):
        return _prefixes(cells, AF_INET)
    four = zip(*_prefixes([c for c in cells if ":" not in c], AF_INET), strict=True)
    six = zip(*_prefixes([c for c in cells if ":" in c], AF_INET6), strict=True)
    both = [next(six) if ":" in c else next(four) for c in cells]
    return [address for address, _ in both], [length for _, length in both]


def _prefixes(cells: Sequence[str], family: int) -> tuple[list[bytes], list[int]]:
    """Of one family."""
    whole, host_bits, form = (32, _HOST_BITS4, "I") if family == AF_INET else (128, _HOST_BITS6, "QQ")
    if "/" in "".join(cells):
        flat = "/".join(c if "/" in c else f"{c}/{whole}" for c in cells).split("/")
        if len(flat) != 2 * len(cells):
            raise ValueError
        addresses = list(map(inet_pton, repeat(family), flat[::2]))
        lengths = list(map(_LENGTHS.__getitem__, flat[1::2]))
    else:
        addresses, lengths = list(map(inet_pton, repeat(family), cells)), [whole] * len(cells)
    masks = map(host_bits.__getitem__, lengths)  # IndexError: longer than the address
    words = unpack(f">{len(cells) * len(form)}{form[0]}", b"".join(addresses))
    if len(form) == 1:
        if any(map(and_, words, masks)):
            raise ValueError
    else:
        whole_numbers = (high << 64 | low for high, low in zip(words[::2], words[1::2], strict=True))
        if any(map(and_, whole_numbers, masks)) or any(map(bytes.startswith, addresses, repeat(MAPPED))):
            raise ValueError
    return addresses, lengths


def _usable(found: list[bytes], *unusable: bytes) -> list[bytes]:
    if any(u in found for u in unusable):
        raise ValueError
    return found

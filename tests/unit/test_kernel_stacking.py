"""Whose packets go out through attached devices: those of VLANs, bonds and bridges above them."""

from __future__ import annotations

import struct

import pytest

from encap_compile.run.kernel.stacking import Link, hands_down, passing_through

PLAIN = Link("", 0, 0)
KNOWN = {
    1: PLAIN,  # lo
    2: Link("", 0, 10),  # eth0 and
    3: Link("", 0, 10),  # eth1 in
    10: Link("bond", 0, 0),  # bond0
    11: Link("vlan", 10, 0),  # bond0.5
    12: Link("macvlan", 11, 0),
    20: Link("veth", 2, 30),  # whose peer is number 2 of another namespace; a port of
    21: Link("vlan", 2, 30),  # eth0.7, also a port of
    30: Link("bridge", 0, 0),
    40: Link("bridge", 0, 0),  # without ports
    50: Link("vxlan", 2, 0),  # it encapsulates by itself
    60: Link("vlan", 11, 0),  # bond0.5.9: two tags, of which one is within the frame
    61: Link("macvlan", 60, 0),
    62: Link("vlan", 12, 0),
    70: Link("", 0, 0),
    71: Link("vlan", 70, 72),
    72: Link("bridge", 0, 0),
    73: Link("macvlan", 72, 0),
    74: Link("vlan", 73, 0),
}


@pytest.mark.parametrize(
    ("attached", "passing"),
    [
        ((), []),
        ((10,), [10, 11, 12]),
        ((2,), [2, 21]),
        ((2, 3), [2, 3, 10, 11, 12, 21]),
        ((11,), [11, 12, 60, 61, 62]),
        ((20,), [20]),
        ((20, 2), [2, 20, 21, 30]),
        ((40,), [40]),
        ((60,), [60, 61]),
        ((12,), [12, 62]),
        ((70,), [70, 71, 72, 73]),
        ((72,), [72, 73, 74]),
    ],
)
def test_above(attached: tuple[int, ...], passing: list[int]) -> None:
    assert passing_through(attached, KNOWN) == passing


def _data(attribute: int, *numbers: int) -> bytes:
    value = struct.pack(f"={len(numbers)}I", *numbers)
    return struct.pack("=HH", 4 + len(value), attribute) + value


@pytest.mark.parametrize(
    ("kind", "data", "all_of_them"),
    [
        *(("macvlan", _data(1, mode), mode != 4) for mode in (1, 2, 4, 8, 16)),
        ("ipvlan", _data(1, 0) + struct.pack("=HHHxx", 6, 2, 0), False),
        ("ipvlan", _data(1, 0) + struct.pack("=HHHxx", 6, 2, 1), True),
        ("ipvlan", _data(1, 1) + struct.pack("=HHHxx", 6, 2, 2), True),
        ("vlan", _data(2, 1, 0xFFFFFFFF), True),
        ("vlan", _data(2, 0, 0xFFFFFFFF), False),
        ("macvlan", b"", False),
        ("bond", b"", True),
    ],
)
def test_who_hands_down_everything(kind: str, data: bytes, all_of_them: bool) -> None:
    assert hands_down(kind, data) == all_of_them

"""Whose packets go out through attached devices: those of VLANs, bonds and bridges above them."""

from __future__ import annotations

import pytest

from encap_compile.kernel.stacking import Link, passing_through

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
}


@pytest.mark.parametrize(
    ("attached", "passing"),
    [
        ((), []),
        ((10,), [10, 11, 12]),
        ((2,), [2, 21]),
        ((2, 3), [2, 3, 10, 11, 12, 21]),
        ((11,), [11, 12]),
        ((20,), [20]),
        ((20, 2), [2, 20, 21, 30]),
        ((40,), [40]),
    ],
)
def test_above(attached: tuple[int, ...], passing: list[int]) -> None:
    assert passing_through(attached, KNOWN) == passing

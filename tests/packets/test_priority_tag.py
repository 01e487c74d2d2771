"""An inner frame with a tag of VLAN 0 is taken as Linux takes it: the tag carries a priority alone."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest
from scapy.layers.l2 import Dot1Q

from .arriving import OVERLAY, arriving, limited
from .datapath import Datapath
from .inner import SHAPES, frame, packet
from .specs import Compile
from .stacks import Stack
from .test_decapsulate import ACCEPTED, check
from .test_refused import refused
from .ways import Way
from .wrong import tagged

Load = Callable[[str], Datapath]
EVERY_WAY = pytest.mark.parametrize("way", [w for w in ACCEPTED if w.kind == "vxlan"], ids=str)


@EVERY_WAY
def test_every_shape_of_packet(loaded: Load, way: Way) -> None:
    for shape in SHAPES[way.inner]:
        inner = packet(shape, *OVERLAY[way.inner])
        given = arriving(way, inner, tagged(Dot1Q(vlan=0)))
        check(loaded, way, inner, given)
        if way.outer == 6:
            check(loaded, way, inner, limited(given))


@EVERY_WAY
def test_any_priority(loaded: Load, way: Way) -> None:
    inner = packet("tcp", *OVERLAY[way.inner])
    for priority, eligible, first in product(range(8), (0, 1), (0x8100, 0x88A8)):
        given = arriving(way, inner, tagged(Dot1Q(prio=priority, dei=eligible, vlan=0), first))
        check(loaded, way, inner, given)


@EVERY_WAY
def test_cut_off_at_every_byte(loaded: Load, way: Way) -> None:
    given = arriving(way, packet("udp-odd", *OVERLAY[way.inner]), tagged(Dot1Q(vlan=0)))
    complete = 14 + way.overhead + 4 + 20
    for length in range(14 + way.overhead, len(given)):
        refused(loaded, way, given[:length], "truncated" if length < complete else "length")


STACKS = (
    ("gre", "ethernet"),
    ("gre", "ethernet", "ethernet"),
    ("udp", "geneve", "ethernet"),
    ("udp", "geneve+options", "ethernet"),
    ("udp", "gue", "gre+key", "ethernet"),
    ("udp", "gue", "udp", "vxlan", "ethernet"),
)


@pytest.mark.parametrize("kernel", ["5.10", "6.3"])
@pytest.mark.parametrize("names", STACKS, ids="-".join)
def test_in_every_stack_that_ends_with_a_frame(compiled: Compile, names: tuple[str, ...], kernel: str) -> None:
    stack = Stack("ip", names, kernel)
    with Datapath(compiled(stack.spec())) as loaded:
        for outer, family, limit in product((4, 6), (4, 6), (False, True)):
            inner = stack.inner(family, outer, "tcp", back=True)
            tag = b"\xe0\x00" + (b"\x08\x00" if family == 4 else b"\x86\xdd")
            # Lengths of the outer headers that count the tag.
            longer = stack.by_scapy(inner + bytes(4), outer, 50000, back=True)
            head = longer[: len(longer) - len(inner) - 4]
            given = frame(head[:-2] + b"\x81\x00" + tag + inner, 0x0800 if outer == 4 else 0x86DD)
            if limit and outer == 6:
                given = limited(given)
            came = loaded.ingress(given)
            assert came.counted == {"ingress_rule_back": (1, len(inner))}
            assert came.frame[14:] == inner
            wrong = given[: -len(inner) - 3] + b"\x07" + given[-len(inner) - 2 :]
            assert list(loaded.ingress(wrong).counted) == ["refused_tun__vlan"]

"""A packet that does not fit with its headers is answered: its sender learns what fits, as from a router."""

from __future__ import annotations

import pytest

from tests.support.overlay import Overlay
from tests.support.topology import Topology

from .conftest import Compiled
from .test_fit import SEGMENTS, UNCLAMPED, _network, _segment_sizes, _write_arrives

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize("outer", [4, 6])
@pytest.mark.parametrize("inner", [4, 6])
def test_lone_segments_unclamped(compiled: Compiled, outer: int, inner: int) -> None:
    with Topology(offloads="off") as topology:
        overlay = _network(topology, outer)
        overlay.apply(compiled(UNCLAMPED))
        ours, far = topology.host("ours", inner), topology.host("far", inner)
        with overlay.counting() as counted:
            for size in _segment_sizes(outer, inner):
                assert _write_arrives(ours, far, size), size
        print(counted)
        assert counted["egress_answered"] >= 1

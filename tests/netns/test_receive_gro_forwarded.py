"""What was merged before decapsulation goes on to a host behind ours, whole or cut by the kernel on the way."""

from __future__ import annotations

import pytest

from tests.support.links import OFFLOADS, End, set_offloads
from tests.support.lone_segments import host_behind
from tests.support.overlay import Overlay
from tests.support.topology import Topology
from tests.support.traffic import bulk_tcp

from .conftest import Compiled
from .test_receive_gro import GRO

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize(("outer", "inner"), [(4, 4), (6, 4), (4, 6)])
def test_forwarded(compiled: Compiled, outer: int, inner: int) -> None:
    """The tunnel's GSO type stays on the packet, and each way to the host behind must bear it."""
    with Topology(offloads="software") as network:
        overlay = Overlay(network, outer)
        overlay.apply(compiled(GRO))
        with host_behind(overlay, inner) as inside:
            for mode in OFFLOADS:
                for end in (End(network.ours, "pod0"), End(inside.namespace, "eth0")):
                    set_offloads(end, mode)
                done = bulk_tcp(network.host("far", inner), inside, 2 << 20)
                assert done, (mode, done.problem)

"""A QUIC stack through the encapsulating uplink, at sizes that fit and at some that do not; no route has an mtu."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import kernel_vxlan
from tests.support.lone_segments import LINK, host_behind, network_without_route_mtu
from tests.support.overlay import Overlay
from tests.support.quic import transfer
from tests.support.topology import Topology

from .conftest import Compiled

pytestmark = pytest.mark.kernel

UDP = {4: 28, 6: 48}  # with the IP header
SMALLEST = 1200  # RFC 9000, section 14: what every QUIC stack sends
UNANSWERED = ("egress:\n", "mtu: {too_big: drop}\negress:\n")


@pytest.fixture(scope="module", params=[4, 6], ids="outer{}".format)
def network(request: pytest.FixtureRequest, compiled: Compiled) -> Iterator[Overlay]:
    with Topology(offloads="off") as topology:
        overlay = network_without_route_mtu(topology, request.param)
        overlay.apply(compiled())
        yield overlay


def largest(overlay: Overlay, inner: int) -> int:
    return LINK - kernel_vxlan.OVERHEAD[overlay.outer] - UDP[inner]


@pytest.mark.parametrize("inner", [4, 6])
@pytest.mark.parametrize("smaller", [SMALLEST, 0], ids=["smallest", "largest-that-fits"])
def test_sizes_that_fit(network: Overlay, inner: int, smaller: int) -> None:
    topology = network.topology
    with network.counting() as counted:
        assert transfer(topology.host("ours", inner), topology.host("far", inner), smaller or largest(network, inner))
    assert counted["egress_too_big"] == 0


@pytest.mark.parametrize("inner", [4, 6])
def test_sizes_that_do_not_fit_are_learned_from_the_answer(network: Overlay, inner: int) -> None:
    """The kernel cuts further datagrams into fragments: its sockets are left as they are."""
    topology = network.topology
    with network.counting() as counted:
        sent = transfer(topology.host("ours", inner), topology.host("far", inner), LINK - UDP[inner])
    assert sent, sent.problem
    assert 1 <= counted["egress_answered"] == counted["egress_too_big"]
    assert counted["egress_too_big"] < 20, "a burst is under way when the first answer comes, and no more"


@pytest.mark.parametrize("inner", [4, 6])
def test_from_behind(network: Overlay, inner: int) -> None:
    topology = network.topology
    with host_behind(network, inner) as inside:
        sent = transfer(inside, topology.host("far", inner), LINK - UDP[inner])
        assert sent, sent.problem


@pytest.mark.parametrize("inner", [4, 6])
def test_without_answers_it_fails(compiled: Compiled, inner: int) -> None:
    with Topology(offloads="off") as topology:
        overlay = network_without_route_mtu(topology, 4)
        overlay.apply(compiled(UNANSWERED))
        assert not transfer(topology.host("ours", inner), topology.host("far", inner), LINK - UDP[inner], timeout=4)
        assert overlay.counters()["egress_too_big"] > 0
        overlay.remove()

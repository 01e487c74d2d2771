"""The scapy tunnel endpoints against each other: proof that they work before anything of ours talks to them."""

from __future__ import annotations

import pytest

from tests.support import scapy_peer
from tests.support.topology import PLAN, Topology
from tests.support.traffic import bulk_tcp, ping, udp_echo

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize("outer", [4, 6])
@pytest.mark.parametrize("kind", ["gre", "ipip"])
def test_scapy_to_scapy(kind: str, outer: int) -> None:
    near, far = (str(PLAN[role].underlay[outer]) for role in ("near", "far"))
    make = {"gre": lambda a, b: scapy_peer.gre(a, b, key=77), "ipip": scapy_peer.ipip}[kind]
    with (
        Topology(offloads="off") as topology,
        scapy_peer.ScapyPeer(topology, "near", outer, *make(near, far)),
        scapy_peer.ScapyPeer(topology, "far", outer, *make(far, near)) as peer,
    ):
        for inner in (4, 6):
            source, destination = topology.host("near", inner), topology.host("far", inner)
            assert ping(source, destination, count=1)
            assert udp_echo(source, destination, timeout=10)  # two processes of scapy are on the way
            assert bulk_tcp(source, destination, size=50_000)
        report = peer.stop()
        assert report.refused == []
        assert report.accepted > 80

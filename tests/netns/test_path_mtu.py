"""A router that takes less than the device, against the kernel's vxlan device with `df set` in the same run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support import kernel_vxlan
from tests.support.lone_segments import network_without_route_mtu
from tests.support.topology import PLAN, Topology
from tests.support.traffic import Host, bulk_tcp

from .conftest import Compiled

pytestmark = pytest.mark.kernel

SIZE = 3_000_000
TRIES = 5


@pytest.mark.parametrize("offloads", ["off", "on"])
@pytest.mark.parametrize("inner", [4, 6])
def test_bulk_beside_the_kernels_device(compiled: Compiled, inner: int, offloads: str) -> None:
    """Each transfer meets a path that became smaller and nothing that remembers it."""
    with Topology(offloads=offloads) as topology:
        kernel_vxlan.connect(topology, "ours", "far", vni=42, outer=4)
        topology.ours.ip(f"link set {kernel_vxlan.DEVICE} type vxlan df set")
        for role in ("ours", "far"):
            mss = {4: 1460, 6: 1440}[inner]
            other = PLAN["far" if role == "ours" else "ours"].prefix[inner]
            words = f"dev {kernel_vxlan.DEVICE} src {PLAN[role].overlay[inner]} advmss {mss}"
            topology.namespaces[role].ip(f"route replace {other} {words}")
        peer = _transfers(topology, inner, lambda: None)
    with Topology(offloads=offloads) as topology:
        overlay = network_without_route_mtu(topology, 4)

        def begin() -> None:
            if overlay.bundle is not None:
                overlay.remove()
            overlay.apply(compiled(("egress:\n", "mtu: {clamp_mss: false}\negress:\n")))

        own = _transfers(topology, inner, begin)
        assert overlay.counters()["ingress_path_learned"] >= 1
    assert own < 3 * peer, (own, peer)


def _transfers(topology: Topology, inner: int, begin: Callable[[], None]) -> float:
    """How long the median transfer takes, in seconds."""
    ours, far = topology.host("ours", inner), topology.host("far", inner)
    found = []
    for _ in range(TRIES):
        _forget(topology)
        begin()
        bulk = bulk_tcp(ours, far, size=SIZE, timeout=60)
        assert bulk
        found.append(bulk.seconds)
    return sorted(found)[TRIES // 2]


def _forget(topology: Topology) -> None:
    """Nothing is known of the path, which takes 1400 bytes; the host behind the router knows."""
    topology.far.ip(f"link set {kernel_vxlan.DEVICE} mtu 1350")
    topology.router.ip("link set wan mtu 1400")
    topology.far.ip("link set eth0 mtu 1400")
    for version in (4, 6):
        topology.ours.sysctl(f"net.ipv{version}.route.flush", 1)
    topology.ours.run(["ip", "tcp_metrics", "flush"])


def test_retransmissions(compiled: Compiled) -> None:
    """A write over a new path is lost once, and sent again in pieces that fit."""
    with Topology(offloads="off") as topology:
        overlay = network_without_route_mtu(topology, 4)
        overlay.apply(compiled(("egress:\n", "mtu: {clamp_mss: false}\negress:\n")))
        _forget(topology)
        ours, far = topology.host("ours", 4), topology.host("far", 4)
        before = _retransmitted(ours)
        assert bulk_tcp(ours, far, size=10_000, timeout=20)
        # the first window of ten segments, once for the router and once for the answer
        assert _retransmitted(ours) - before <= 25


def _retransmitted(host: Host) -> int:
    lines = host.namespace.run(["cat", "/proc/net/snmp"]).stdout.splitlines()
    names, values = [line.split() for line in lines if line.startswith("Tcp:")]
    return int(values[names.index("RetransSegs")])

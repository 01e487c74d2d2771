"""Traffic through the route device that `apply` makes: by the kernel's routes, and answered through its guard."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator

import pytest

from tests.support.lone_segments import LINK, host_behind, network_without_route_mtu, segment_sizes, write_arrives
from tests.support.overlay import Overlay
from tests.support.topology import PLAN, Topology
from tests.support.traffic import bulk_tcp, ping, udp_echo

from .bundles import THROUGH_DEVICE, bundle
from .test_too_big import DISCOVER, DO, HEADERS, INNER

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module", params=[4, 6], ids=["over ipv4", "over ipv6"])
def network(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Overlay]:
    with Topology(offloads="off") as topology:
        overlay = network_without_route_mtu(topology, request.param)
        overlay.apply(bundle(THROUGH_DEVICE, tmp_path_factory.mktemp("through-device")))
        yield overlay


@INNER
def test_traffic(network: Overlay, inner: int) -> None:
    """Pings, datagrams and streams arrive, and the kernel named every next hop"""
    ours, far = network.topology.host("ours", inner), network.topology.host("far", inner)
    with network.counting() as counted:
        assert ping(ours, far)
        assert udp_echo(ours, far)
        assert bulk_tcp(ours, far)
        assert [size for size in segment_sizes(network.outer, inner) if not write_arrives(ours, far, size)] == []
    assert counted["egress_rule_sites"] > 100
    for name in ("egress_next_hop_fallback", "egress_unrouted", "egress_route_loop", "egress_too_big"):
        assert counted[name] == 0, name


@INNER
def test_forwarded(network: Overlay, inner: int) -> None:
    """A host behind ours learns what fits from the kernel"""
    far = network.topology.host("far", inner)
    with host_behind(network, inner) as inside, network.counting() as counted:
        for size in segment_sizes(network.outer, inner):
            assert write_arrives(inside, far, size), f"{size} bytes from behind"
    assert counted["egress_answered"] == 0


@INNER
def test_the_guard_lets_answers_in(network: Overlay, inner: int) -> None:
    """Where the device's MTU is too large, the program answers, and only its answer comes in by the device"""
    ours, far = network.topology.host("ours", inner), network.topology.host("far", inner)
    level, discover, _ = DISCOVER[inner]
    network.topology.ours.ip(f"link set encap0 mtu {LINK}")
    network.topology.ours.sysctl(f"net.ipv{inner}.route.flush", 1)
    with (
        network.counting() as counted,
        ours.namespace.socket(ours.family, socket.SOCK_DGRAM) as sender,
    ):
        sender.setsockopt(level, discover, DO)
        sender.bind((ours.address, 0))
        sender.connect((far.address, 7300))
        sender.send(bytes(LINK - HEADERS[inner]))
        assert sender.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.EMSGSIZE
    assert counted["egress_answered"] == 1
    assert counted["ingress_injected"] == 0


def test_without_forwarding_of_lo(network: Overlay) -> None:
    """Where the kernel names no next hop, packets leave by the first attached device"""
    ours, far = network.topology.host("ours", 4), network.topology.host("far", 4)
    for version in (4, 6):
        network.topology.ours.sysctl(f"net.ipv{version}.conf.lo.forwarding", 0)
    with network.counting() as counted:
        assert bulk_tcp(ours, far)
    assert counted["egress_next_hop_fallback"] > 100
    for version in (4, 6):
        network.topology.ours.sysctl(f"net.ipv{version}.conf.lo.forwarding", 1)


def test_an_outer_route_into_the_device(network: Overlay) -> None:
    """A route of the tunnel endpoint into the device is no loop: such packets are dropped and counted"""
    version = network.outer
    words = f"{PLAN['far'].underlay[version]} dev encap0"
    network.topology.ours.ip(f"route add {words}")
    with network.counting() as counted:
        assert not ping(network.topology.host("ours", 4), network.topology.host("far", 4), timeout=0.5)
    network.topology.ours.ip(f"route del {words}")
    assert counted["egress_route_loop"] > 0

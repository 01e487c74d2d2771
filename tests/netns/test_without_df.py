"""IPv4 that may be fragmented and does not fit: from senders that do not ask for DF in any way, local and forwarded.

Nobody may be told of such a packet, and nothing behind the hook fragments it, so it has to be seen in the counters. A
route's MTU helps those senders that go by it.
"""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.support import kernel_vxlan
from tests.support.lone_segments import LINK, host_behind, network_without_route_mtu
from tests.support.overlay import Overlay
from tests.support.topology import Topology
from tests.support.traffic import Host

from .conftest import Compiled

pytestmark = pytest.mark.kernel

MTU_DISCOVER = 10  # IP_MTU_DISCOVER: include/uapi/linux/in.h
DONT, INTERFACE, OMIT = 0, 4, 5
SENDERS = {"DONT": DONT, "INTERFACE": INTERFACE, "OMIT": OMIT}
ANSWER = 4000  # bytes, as of a large DNS answer without TCP


@pytest.fixture(scope="module", params=[4, 6], ids="outer{}".format)
def network(request: pytest.FixtureRequest, compiled: Compiled) -> Iterator[Overlay]:
    with Topology(offloads="off") as topology:
        overlay = network_without_route_mtu(topology, request.param)
        overlay.apply(compiled())
        yield overlay


def send(source: Host, destination: Host, size: int, discover: int) -> bool:
    """Whether one datagram arrives. That it was sent is all that the sender ever learns."""
    with (
        destination.namespace.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        source.namespace.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        receiver.bind((destination.address, 7330))
        receiver.settimeout(0.3)
        sender.setsockopt(socket.IPPROTO_IP, MTU_DISCOVER, discover)
        sender.bind((source.address, 0))
        assert sender.sendto(bytes(size), (destination.address, 7330)) == size
        try:
            return len(receiver.recv(65536)) == size
        except TimeoutError:
            return False


def lost(network: Overlay, source: Host, size: int, discover: int) -> Counter[str]:
    """What was counted for a datagram that does not arrive."""
    with network.counting() as counted:
        assert not send(source, network.topology.host("far", 4), size, discover)
    assert counted["egress_answered"] == 0
    return counted


@pytest.mark.parametrize("discover", SENDERS.values(), ids=SENDERS)
def test_full_size_packets_are_counted(network: Overlay, discover: int) -> None:
    """A datagram that fits the device whole, and one in fragments as large as the device takes."""
    ours, far = network.topology.host("ours", 4), network.topology.host("far", 4)
    counted = lost(network, ours, LINK - 28, discover)
    assert counted["egress_too_big"] == counted["egress_without_df"] == 1
    if discover != INTERFACE:  # such a socket sends no fragments: EMSGSIZE by the device's MTU
        counted = lost(network, ours, ANSWER, discover)
        # With the first fragment the kernel gives up the others (ip_do_fragment).
        assert counted["egress_too_big"] == counted["egress_without_df"] == 1
        assert counted["egress_rule_sites"] == 0
    fits = LINK - kernel_vxlan.OVERHEAD[network.outer] - 28
    with network.counting() as counted:
        assert send(ours, far, fits, discover)
    assert counted["egress_without_df"] == 0


@pytest.mark.parametrize("discover", [DONT, OMIT], ids=["DONT", "OMIT"])
def test_the_mtu_of_a_route(network: Overlay, discover: int) -> None:
    """It helps who goes by it; OMIT goes by the device's."""
    topology = network.topology
    topology.route_overlay("ours", "far", direct=False, mtu=LINK - kernel_vxlan.OVERHEAD[network.outer])
    try:
        with network.counting() as counted:
            arrives = send(topology.host("ours", 4), topology.host("far", 4), ANSWER, discover)
        assert arrives == (discover == DONT)
        assert (counted["egress_without_df"] == 0) == arrives
    finally:
        topology.route_overlay("ours", "far", direct=False, mtu=LINK)


def test_forwarded(network: Overlay) -> None:
    with host_behind(network, 4) as inside:
        counted = lost(network, inside, LINK - 28, DONT)
    assert counted["egress_too_big"] == counted["egress_without_df"] == 1


def test_with_df_there_is_an_answer_instead(network: Overlay) -> None:
    do, ours = 2, network.topology.host("ours", 4)
    with network.counting() as counted:
        assert not send(ours, network.topology.host("far", 4), LINK - 28, do)
    assert (counted["egress_without_df"], counted["egress_answered"]) == (0, 1)
    network.topology.ours.sysctl("net.ipv4.route.flush", 1)

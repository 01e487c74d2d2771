"""A packet that does not fit with its headers is answered: its sender learns what fits, as from a router.

Offloads are off: each segment is a packet of its own, and the checksum of what passes a device is written there.
"""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Iterator

import pytest

from tests.support import ethtool, kernel_vxlan
from tests.support.lone_segments import LINK, host_behind, network_without_route_mtu, segment_sizes, write_arrives
from tests.support.overlay import Overlay
from tests.support.topology import Topology
from tests.support.traffic import Host

from .bundles import TOO_BIG, bundle

pytestmark = pytest.mark.kernel

INNER = pytest.mark.parametrize("inner", [4, 6], ids=["ipv4 inside", "ipv6 inside"])
# Values of IP_MTU_DISCOVER and IPV6_MTU_DISCOVER: include/uapi/linux/in.h
WANT, DO, PROBE = 1, 2, 3
DISCOVER = {4: (socket.IPPROTO_IP, 10, 14), 6: (socket.IPPROTO_IPV6, 23, 24)}  # level, MTU_DISCOVER, MTU
HEADERS = {4: 28, 6: 48}  # of UDP


@pytest.fixture(scope="module", params=[4, 6], ids=["over ipv4", "over ipv6"])
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Overlay]:
    with Topology(offloads="off") as topology:
        overlay = network_without_route_mtu(topology, request.param)
        overlay.apply(bundle(TOO_BIG, tmp_path_factory.mktemp("too-big")))
        yield overlay


@pytest.fixture
def network(shared: Overlay) -> Overlay:
    """The network before any answer: no route remembers one."""
    for version in (4, 6):
        shared.topology.ours.sysctl(f"net.ipv{version}.route.flush", 1)
    return shared


@INNER
def test_lone_segments_of_every_size(network: Overlay, inner: int) -> None:
    """Lone segments of every size arrive"""
    ours, far = network.topology.host("ours", inner), network.topology.host("far", inner)
    with network.counting() as counted:
        for size in segment_sizes(network.outer, inner):
            assert write_arrives(ours, far, size), f"{size} bytes"
    assert counted["egress_too_big"] == counted["egress_answered"] == 1, "the route remembers it"


@INNER
def test_datagrams(network: Overlay, inner: int) -> None:
    """A socket that asks is told what fits, others' datagrams are cut from then on"""
    ours, far = network.topology.host("ours", inner), network.topology.host("far", inner)
    level, discover, mtu = DISCOVER[inner]
    fits = LINK - kernel_vxlan.OVERHEAD[network.outer]
    with (
        far.namespace.socket(far.family, socket.SOCK_DGRAM) as receiver,
        ours.namespace.socket(ours.family, socket.SOCK_DGRAM) as sender,
    ):
        receiver.bind((far.address, 7300))
        receiver.settimeout(3)
        sender.setsockopt(level, discover, DO)
        sender.bind((ours.address, 0))
        sender.connect((far.address, 7300))
        sender.send(bytes(LINK - HEADERS[inner]))  # is lost, and answered
        assert sender.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.EMSGSIZE
        with pytest.raises(OSError, match="too long"):
            sender.send(bytes(LINK - HEADERS[inner]))
        assert sender.getsockopt(level, mtu) == fits
        sender.send(bytes(fits - HEADERS[inner]))
        assert len(receiver.recv(65536)) == fits - HEADERS[inner]
        sender.setsockopt(level, discover, WANT)
        sender.send(bytes(4000))
        assert len(receiver.recv(65536)) == 4000


@pytest.mark.parametrize("strict", [False, True], ids=["loose", "strict rp_filter"])
@INNER
def test_forwarded(network: Overlay, inner: int, strict: bool) -> None:
    """A host behind ours is answered, and its segments arrive"""
    far = network.topology.host("far", inner)
    if strict:
        network.topology.ours.sysctl("net.ipv4.conf.all.rp_filter", 1)
        network.topology.ours.sysctl("net.ipv4.conf.eth0.rp_filter", 1)
    with host_behind(network, inner) as inside, network.counting() as counted:
        for size in segment_sizes(network.outer, inner):
            assert write_arrives(inside, far, size), f"{size} bytes from behind"
    assert counted["egress_answered"] == 1


@INNER
def test_forwarded_datagrams_with_their_checksum_to_be_written(network: Overlay, inner: int) -> None:
    """The answer is right although the checksum in its quote is written on the way back"""
    far = network.topology.host("far", inner)
    level, discover, mtu = DISCOVER[inner]
    with host_behind(network, inner) as inside:
        names = ethtool.feature_names(inside.namespace, "eth0")
        ethtool.set_features(inside.namespace, "eth0", names, {"tx-checksum-ip-generic": True})
        with inside.namespace.socket(inside.family, socket.SOCK_DGRAM) as sender:
            sender.setsockopt(level, discover, PROBE if inner == 4 else DO)
            sender.bind((inside.address, 0))
            sender.connect((far.address, 7301))
            before = _icmp_errors(inside, inner)
            fits = LINK - kernel_vxlan.OVERHEAD[network.outer]
            for _ in range(200):  # a busy machine may take its time to receive the answer
                try:
                    sender.send(bytes(range(250)) * 5 + bytes(LINK - HEADERS[inner] - 1250))
                except OSError as error:
                    assert error.errno == errno.EMSGSIZE
                if sender.getsockopt(level, mtu) == fits:
                    break
                time.sleep(0.01)
            assert sender.getsockopt(level, mtu) == fits
            assert _icmp_errors(inside, inner) == before


def _icmp_errors(host: Host, inner: int) -> int:
    """Answers that the kernel refused for their checksum."""
    said = host.namespace.run(["cat", "/proc/net/snmp" if inner == 4 else "/proc/net/snmp6"]).stdout
    if inner == 6:
        return sum(int(line.split()[1]) for line in said.splitlines() if line.startswith("Icmp6InCsumErrors"))
    names, values = [line.split() for line in said.splitlines() if line.startswith("Icmp:")]
    return int(values[names.index("InCsumErrors")])

"""A router behind the device takes less than the device does: its ICMP errors about outer packets are learned from.

The kernel's vxlan device is at the far end. Offloads are off where each segment is to be a packet of its own.
"""

from __future__ import annotations

import errno
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support import kernel_vxlan
from tests.support.lone_segments import LINK, SEGMENTS, network_without_route_mtu, write_arrives
from tests.support.overlay import Overlay
from tests.support.topology import PLAN, Topology
from tests.support.traffic import bulk_tcp, udp_echo

from .bundles import TOO_BIG, bundle

pytestmark = pytest.mark.kernel

OUTER = pytest.mark.parametrize("outer", [4, 6], ids=["over ipv4", "over ipv6"])
INNER = pytest.mark.parametrize("inner", [4, 6], ids=["ipv4 inside", "ipv6 inside"])
LOSS = "table inet loss { chain forward { type filter hook forward priority 0; numgen random mod 100 < 2 drop; }; }"
DO = 2  # IP_PMTUDISC_DO and IPV6_PMTUDISC_DO: include/uapi/linux/in.h
DISCOVER = {4: (socket.IPPROTO_IP, 10, 14), 6: (socket.IPPROTO_IPV6, 23, 24)}  # level, MTU_DISCOVER, MTU
HEADERS = {4: 28, 6: 48}  # of UDP


@contextmanager
def network(tmp_path_factory: pytest.TempPathFactory, outer: int, offloads: str = "off") -> Iterator[Overlay]:
    with Topology(offloads=offloads) as topology:
        overlay = network_without_route_mtu(topology, outer)
        overlay.apply(bundle(TOO_BIG, tmp_path_factory.mktemp("too-big")))
        yield overlay


def narrow(overlay: Overlay, mtu: int) -> None:
    """The link behind the router takes less from now on, and the host behind that knows."""
    topology = overlay.topology
    inside = max(mtu - kernel_vxlan.OVERHEAD[overlay.outer], 1280)  # with less, Linux has no IPv6
    topology.far.ip(f"link set {kernel_vxlan.DEVICE} mtu {inside}")
    topology.router.ip(f"link set wan mtu {mtu}")
    topology.far.ip(f"link set eth0 mtu {mtu}")


@OUTER
@INNER
def test_lone_segments(tmp_path_factory: pytest.TempPathFactory, outer: int, inner: int) -> None:
    """Lone segments of every size arrive behind a router of 1400"""
    with network(tmp_path_factory, outer) as overlay:
        ours, far = overlay.topology.host("ours", inner), overlay.topology.host("far", inner)
        narrow(overlay, 1400)
        fits = 1400 - kernel_vxlan.OVERHEAD[outer] - (LINK - SEGMENTS[inner]) - 12
        with overlay.counting() as counted:
            for size in (SEGMENTS[inner] - 12, fits - 1, fits, fits + 1, fits + 50, SEGMENTS[inner]):
                assert write_arrives(ours, far, size, timeout=10), f"{size} bytes"
        assert 1 <= counted["ingress_path_learned"] <= 2, "and the inner routes remember it"
        assert counted["ingress_path_ignored"] == 0


@pytest.mark.parametrize("offloads", ["off", "on"], ids=["lone segments", "GSO packets"])
@OUTER
@INNER
def test_it_changes_under_load(tmp_path_factory: pytest.TempPathFactory, outer: int, inner: int, offloads: str) -> None:
    """A path that becomes smaller twice under load, with 2 % of all packets lost"""
    with network(tmp_path_factory, outer, offloads) as overlay:
        topology = overlay.topology
        topology.router.run(["nft", LOSS])
        lowered: list[int] = []

        def lower() -> None:
            for mtu in (1400, 1360):
                time.sleep(0.3)
                narrow(overlay, mtu)
                lowered.append(mtu)

        changing = threading.Thread(target=lower)
        changing.start()
        ours, far = topology.host("ours", inner), topology.host("far", inner)
        while len(lowered) < 2:
            assert bulk_tcp(ours, far, size=1_000_000, timeout=60)
        changing.join()
        assert bulk_tcp(ours, far, size=1_000_000, timeout=60)
        assert overlay.counters()["ingress_path_learned"] >= 1


@OUTER
@INNER
def test_datagrams(tmp_path_factory: pytest.TempPathFactory, outer: int, inner: int) -> None:
    """The first datagram is lost on the way, the second is answered, the third fits"""
    with network(tmp_path_factory, outer) as overlay:
        ours, far = overlay.topology.host("ours", inner), overlay.topology.host("far", inner)
        narrow(overlay, 1400)
        level, discover, mtu = DISCOVER[inner]
        fits = 1400 - kernel_vxlan.OVERHEAD[outer]
        with ours.namespace.socket(ours.family, socket.SOCK_DGRAM) as sender:
            sender.setsockopt(level, discover, DO)
            sender.bind((ours.address, 0))
            sender.connect((far.address, 7400))
            size = LINK - kernel_vxlan.OVERHEAD[outer] - HEADERS[inner]
            sender.send(bytes(size))
            _until(lambda: overlay.counters()["ingress_path_learned"] == 1)
            sender.send(bytes(size))
            assert sender.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.EMSGSIZE
            assert sender.getsockopt(level, mtu) == fits
        sizes = [fits - HEADERS[inner] - 1, fits - HEADERS[inner]]
        assert udp_echo(ours, far, sizes)


def _until(true: object, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.01)


def test_ipv6_inside_ipv4_below_its_smallest(tmp_path_factory: pytest.TempPathFactory) -> None:
    """IPv6 packets of 1280 bytes arrive over an IPv4 path of 1300: the router fragments the outer ones"""
    with network(tmp_path_factory, 4) as overlay:
        topology = overlay.topology
        ours, far = topology.host("ours", 6), topology.host("far", 6)
        narrow(overlay, 1300)
        with overlay.counting() as counted:
            assert write_arrives(ours, far, 300_000, timeout=20), "what comes back is not fragmented"
        assert counted["ingress_path_learned"] >= 1
        said = topology.router.run(["cat", "/proc/net/snmp"]).stdout.splitlines()
        names, values = [line.split() for line in said if line.startswith("Ip:")]
        assert int(values[names.index("FragOKs")]) > 100


def test_a_router_that_lies(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What names another port, source or endpoint lowers nothing; an absurd MTU leaves what hosts rely on"""
    with network(tmp_path_factory, 4) as overlay:
        ours, far = overlay.topology.host("ours", 4), overlay.topology.host("far", 4)
        own, peer = str(PLAN["ours"].underlay[4]), str(PLAN["far"].underlay[4])
        lies = [
            _quote(own, peer, 4790),
            _quote(own, peer, 4789, sport=100),
            _quote(own, "198.51.100.1", 4789),
            _quote("192.0.2.99", peer, 4789),
        ]
        with overlay.counting() as counted:
            for quote in lies:
                _say(overlay, own, quote, 600)
            _say(overlay, own, _quote(own, peer, 4789), 1450)
            _until(lambda: overlay.counters()["ingress_path_ignored"] >= 1)
        assert counted["ingress_path_learned"] == 0 and counted["ingress_path_ignored"] == 1
        with overlay.counting() as counted:
            _say(overlay, own, _quote(own, peer, 4789), 68)
            _until(lambda: overlay.counters()["ingress_path_learned"] >= 1)
            assert bulk_tcp(ours, far, size=300_000, timeout=60)
        assert counted["egress_answered"] >= 1


def _quote(source: str, destination: str, port: int, sport: int = 50000, length: int = 1400) -> bytes:
    """The head of an outer packet of ours."""
    head = bytes((0x45, 0)) + length.to_bytes(2, "big") + bytes.fromhex("0000400040110000")
    head += socket.inet_aton(source) + socket.inet_aton(destination)
    return head + sport.to_bytes(2, "big") + port.to_bytes(2, "big") + (length - 20).to_bytes(2, "big") + bytes(2)


def _say(overlay: Overlay, to: str, quote: bytes, mtu: int) -> None:
    """The router says by ICMP that a packet is too big."""
    message = bytes((3, 4, 0, 0, 0, 0)) + mtu.to_bytes(2, "big") + quote
    total = sum(int.from_bytes(message[i : i + 2], "big") for i in range(0, len(message), 2))
    total = (total & 0xFFFF) + (total >> 16)
    checksum = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    with overlay.topology.router.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as raw:
        raw.sendto(message[:2] + checksum.to_bytes(2, "big") + message[4:], (to, 0))

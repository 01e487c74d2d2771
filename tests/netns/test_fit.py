"""TCP fits where no route has an mtu: lone full-size segments and lost packets, against the kernel's vxlan device.

The hosts at the far end announce what their own link takes, as hosts behind a tunnel endpoint do. Segments reach the
wire one by one: with offloads on, GSO packets are cut smaller and hide what does not fit.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import cli, kernel_vxlan
from tests.support.lone_segments import (
    LINK,
    SEGMENTS,
    STALLED,
    host_behind,
    network_without_route_mtu,
    segment_sizes,
    write_arrives,
)
from tests.support.overlay import Overlay
from tests.support.topology import PLAN, Topology
from tests.support.traffic import bulk_tcp

from .conftest import Compiled

pytestmark = pytest.mark.kernel

LOSS = "table inet loss { chain forward { type filter hook forward priority 0; numgen random mod 100 < 2 drop; }; }"
UNCLAMPED = ("egress:\n", "mtu: {clamp_mss: false, too_big: drop}\negress:\n")


@pytest.fixture(scope="module", params=[4, 6], ids="outer{}".format)
def network(request: pytest.FixtureRequest, compiled: Compiled) -> Iterator[Overlay]:
    with Topology(offloads="off") as topology:
        overlay = network_without_route_mtu(topology, request.param)
        overlay.apply(compiled())
        yield overlay


@pytest.mark.parametrize("inner", [4, 6])
@pytest.mark.parametrize("role", ["far", "near"])
def test_lone_segments_of_every_size(network: Overlay, role: str, inner: int) -> None:
    topology = network.topology
    ours, theirs = topology.host("ours", inner), topology.host(role, inner)
    with network.counting() as counted:
        for size in segment_sizes(network.outer, inner):
            assert write_arrives(ours, theirs, size), f"{size} bytes to {role}"
            assert write_arrives(theirs, ours, size), f"{size} bytes from {role}"
    assert counted["egress_too_big"] == 0


@pytest.mark.parametrize("inner", [4, 6])
def test_bulk_with_loss(network: Overlay, inner: int) -> None:
    """What is sent again is sent in lone segments."""
    topology = network.topology
    topology.router.run(["nft", LOSS])
    try:
        with network.counting() as counted:
            assert bulk_tcp(topology.host("ours", inner), topology.host("far", inner), size=3_000_000, timeout=60)
    finally:
        topology.router.run(["nft", "delete", "table", "inet", "loss"])
    assert counted["egress_too_big"] == 0


@pytest.mark.parametrize("inner", [4, 6])
def test_bulk_with_loss_by_answers(compiled: Compiled, inner: int) -> None:
    """The same where the MSS stays as it is, and only ICMP says what fits."""
    with Topology(offloads="off") as topology:
        overlay = network_without_route_mtu(topology, 4)
        overlay.apply(compiled(("egress:\n", "mtu: {clamp_mss: false}\negress:\n")))
        topology.router.run(["nft", LOSS])
        assert bulk_tcp(topology.host("ours", inner), topology.host("far", inner), size=3_000_000, timeout=60)
        assert overlay.counters()["egress_answered"] >= 1


@pytest.mark.parametrize("inner", [4, 6])
def test_it_stalls_without(compiled: Compiled, inner: int) -> None:
    """What the spec asks for: the routes must have an mtu then."""
    outer = 4
    with Topology(offloads="off") as topology:
        overlay = network_without_route_mtu(topology, outer)
        overlay.apply(compiled(UNCLAMPED))
        ours, far = topology.host("ours", inner), topology.host("far", inner)
        small, *_, large, _ = segment_sizes(outer, inner)
        assert write_arrives(ours, far, small)
        started = time.monotonic()
        assert not write_arrives(ours, far, large)
        assert time.monotonic() - started >= STALLED
        assert overlay.counters()["egress_too_big"] > 0


@pytest.mark.parametrize("inner", [4, 6])
def test_signed_connections(network: Overlay, inner: int) -> None:
    """The MD5 signature (RFC 2385) does not cover options: the peer accepts a SYN whose MSS was lowered."""
    topology = network.topology
    ours, far = topology.host("ours", inner), topology.host("far", inner)
    with (
        far.namespace.socket(far.family, socket.SOCK_STREAM) as listener,
        ours.namespace.socket(ours.family, socket.SOCK_STREAM) as client,
    ):
        try:
            _sign(listener, ours.address)
        except OSError as error:
            pytest.skip(f"this kernel has no MD5 signatures: {error}")
        _sign(client, far.address)
        listener.bind((far.address, 7201))
        listener.listen()
        client.bind((ours.address, 0))
        client.settimeout(5)
        client.connect((far.address, 7201))
        accepted, _ = listener.accept()
        with accepted:
            accepted.settimeout(5)
            client.sendall(bytes(4000))
            got = 0
            while got < 4000:
                got += len(accepted.recv(65536))


def _sign(made: socket.socket, peer: str) -> None:
    """TCP_MD5SIG with one key."""
    if ":" in peer:
        address = struct.pack("=HHI16sI", socket.AF_INET6, 0, 0, socket.inet_pton(socket.AF_INET6, peer), 0)
    else:
        address = struct.pack("=HH4s", socket.AF_INET, 0, socket.inet_aton(peer))
    key = b"secret"
    made.setsockopt(socket.IPPROTO_TCP, 14, address.ljust(128, b"\0") + struct.pack("=BBHi80s", 0, 0, len(key), 0, key))


@pytest.mark.parametrize("inner", [4, 6])
def test_forwarded(network: Overlay, inner: int) -> None:
    """A host behind ours, whose own link takes 1500 bytes."""
    far = network.topology.host("far", inner)
    with host_behind(network, inner) as inside:
        for size in segment_sizes(network.outer, inner):
            assert write_arrives(inside, far, size), f"{size} bytes from behind"
            assert write_arrives(far, inside, size), f"{size} bytes to behind"


DIRECT = """\
apiVersion: encap/v1alpha1
name: direct
kernel: "5.10"
host: {uplink: device, address: {type: ip, default: uplink.address}, vtep_mac: mac}
attach: {devices: [host.uplink]}
encapsulations:
  vxlan:
    - ip: {source: host.address, destination: received.ip.source}
    - udp: {destination_port: 4789, source_port: flow, checksum: zero}
    - vxlan: {vni: 42}
    - ethernet: {source: host.vtep_mac, destination: received.ethernet.source}
ingress:
  rules: [{name: from-lb, decapsulate: vxlan, from: any}]
"""


@pytest.mark.parametrize("clamp", [True, False])
@pytest.mark.parametrize("inner", [4, 6])
def test_answers_that_leave_directly(tmp_path: Path, inner: int, clamp: bool) -> None:
    """Behind a balancer that encapsulates whatever clients send: the server answers without it, and says what fits."""
    with Topology(offloads="off") as topology:
        Overlay(topology, 4)
        ours, far = topology.host("ours", inner), topology.host("far", inner)
        for role in ("far", "near"):
            topology.route_overlay("ours", role, direct=False, mtu=LINK)
        topology.router.ip(f"route add {PLAN['far'].prefix[inner]} via {PLAN['far'].underlay[inner]}")
        # As a balancer does, the device takes 1500 bytes. On the way outer packets are cut into fragments then.
        topology.router.ip(f"link set wan mtu {LINK + 100}")
        topology.far.ip(f"link set eth0 mtu {LINK + 100}", f"link set {kernel_vxlan.DEVICE} mtu {LINK}")
        (tmp_path / "direct.yaml").write_text(DIRECT + ("" if clamp else "mtu: {clamp_mss: false}\n"))
        bundle, _ = cli.compile_spec(tmp_path / "direct.yaml", tmp_path / "build")
        cli.apply(topology.ours, bundle, uplink="eth0", vtep_mac=topology.mac("ours"))
        assert write_arrives(far, ours, 1000)
        assert write_arrives(far, ours, SEGMENTS[inner] - 12) == clamp

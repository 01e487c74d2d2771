"""Traffic through the route device as `apply` makes it, with the kernel's vxlan device at the other end."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support import kernel_vxlan
from tests.support.links import mac_of
from tests.support.lone_segments import LINK, host_behind, network_without_route_mtu, segment_sizes, write_arrives
from tests.support.overlay import ANY_DEVICES, ROUTE_DEVICE, Overlay, pass_to_ours
from tests.support.topology import PLAN, Topology
from tests.support.traffic import bulk_tcp, ping, udp_echo
from tests.support.wire import Capture, carries

from .conftest import Compiled
from .test_fit import LOSS
from .test_pmtudisc import MODES, met

pytestmark = pytest.mark.kernel
OUTER = pytest.mark.parametrize("outer", [4, 6], ids="outer{}".format)
DEVICES = ("attach: {devices: host.uplink}", "attach: {devices: host.uplink, route_device: {name: encap0}}")
VTEP = f"{PLAN['ours'].underlay[4]},{PLAN['ours'].underlay[6]}"
UDP_SEGMENT = 103  # include/uapi/linux/udp.h


@contextmanager
def through_device(
    compiled: Compiled, outer: int, *more: tuple[str, str], offloads: str = "software"
) -> Iterator[Overlay]:
    """Ours, with routes that know no MTU, and the inner prefixes routed to encap0. `more` edits of the spec."""
    with Topology(offloads=offloads) as topology:
        overlay = network_without_route_mtu(topology, outer)
        overlay.apply(compiled(ROUTE_DEVICE, *more))
        yield overlay


@OUTER
def test_every_kind_of_traffic(compiled: Compiled, outer: int) -> None:
    with through_device(compiled, outer) as overlay, overlay.counting() as counted:
        for inner in (4, 6):
            ours, far = overlay.topology.host("ours", inner), overlay.topology.host("far", inner)
            assert ping(ours, far)
            assert udp_echo(ours, far)
            assert bulk_tcp(ours, far)
            assert bulk_tcp(far, ours)
    assert counted["egress_rule_sites"] > 100
    assert counted["egress_own_stack"] > 100  # at the uplink; GSO packets count as one or as many
    for name in ("egress_unrouted", "egress_route_loop", "egress_next_hop_fallback", "egress_too_big"):
        assert counted[name] == 0, name


@OUTER
def test_lone_segments(compiled: Compiled, outer: int) -> None:
    with through_device(compiled, outer, offloads="off") as overlay:
        for inner in (4, 6):
            ours, far = overlay.topology.host("ours", inner), overlay.topology.host("far", inner)
            assert [n for n in segment_sizes(outer, inner) if not write_arrives(ours, far, n)] == []


@OUTER
def test_bulk_with_loss(compiled: Compiled, outer: int) -> None:
    """Lost segments are sent again alone."""
    with through_device(compiled, outer) as overlay:
        overlay.topology.router.run(["nft", LOSS])
        for inner in (4, 6):
            ours, far = overlay.topology.host("ours", inner), overlay.topology.host("far", inner)
            done = bulk_tcp(ours, far, size=1 << 20, timeout=60)
            assert done, done.problem


@OUTER
def test_each_mode_of_path_mtu_discovery(compiled: Compiled, outer: int) -> None:
    """The device's own MTU is the inner one: what is too long is refused, or fragmented, and never lost."""
    most = LINK - kernel_vxlan.OVERHEAD[6]  # of the largest stack that rows may take
    with through_device(compiled, outer, offloads="off") as overlay:
        for inner in (4, 6):
            ours, far = overlay.topology.host("ours", inner), overlay.topology.host("far", inner)
            for name, mode in MODES.items():
                for length in (most - 1, most):
                    assert met(ours, far, mode, length, inner) == ("arrived",) * 3, (name, inner, length)
                for length in (most + 1, LINK, LINK + 500):
                    found = set(met(ours, far, mode, length, inner))
                    assert found in ({"arrived"}, {"refused"}), (name, inner, length, found)


@OUTER
def test_segments_of_a_datagram_without_checksum_offload(compiled: Compiled, outer: int) -> None:
    """As QUIC sends: one send() of many datagrams. The uplink cannot fill in their checksums, the device can."""
    with through_device(compiled, outer, offloads="off") as overlay:
        ours, far = overlay.topology.host("ours", 4), overlay.topology.host("far", 4)
        with (
            far.namespace.socket(socket.AF_INET, socket.SOCK_DGRAM) as server,
            ours.namespace.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
        ):
            server.bind((far.address, 7443))
            server.settimeout(2)
            client.bind((ours.address, 0))
            client.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 1200)
            payload = bytes(range(256)) * 164
            payload = payload[: 35 * 1200]
            client.sendto(payload, (far.address, 7443))
            assert b"".join(server.recv(65536) for _ in range(35)) == payload


@OUTER
def test_a_forwarded_packet_that_is_too_big(compiled: Compiled, outer: int) -> None:
    """The kernel itself answers: the route of the inner packet has the device's MTU."""
    with through_device(compiled, outer, pass_to_ours(4), offloads="off") as overlay, host_behind(overlay, 4) as pod:
        far = overlay.topology.host("far", 4)
        assert ping(pod, far, size=64)
        assert met(pod, far, MODES["DO"], LINK, 4) == ("lost", "refused", "refused")
        assert [n for n in segment_sizes(outer, 4) if not write_arrives(pod, far, n)] == []


@OUTER
def test_two_uplinks(compiled: Compiled, outer: int) -> None:
    """It leaves by the uplink that the route of the tunnel endpoint names, also when that changes."""
    with Topology(offloads="software", uplinks=2) as topology:
        overlay = Overlay(topology, outer=outer)
        overlay.apply(compiled(*ANY_DEVICES, DEVICES), uplink="eth0,eth1", vtep=VTEP)
        ours, far = topology.host("ours", 4), topology.host("far", 4)
        payload = b"by the first uplink"
        with Capture(topology.router, "to-ours") as wire:
            with topology.ours.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.bind((ours.address, 0))
                sender.sendto(payload, (far.address, 7103))
            frame = wire.first(lambda f: carries(payload)(f) and not f.outgoing, "the datagram").data
        assert frame[:6].hex(":") == mac_of(topology.router, "lan")
        assert frame[6:12].hex(":") == mac_of(topology.ours, "eth0")
        assert bulk_tcp(ours, far)


def test_what_no_rule_encapsulates_is_dropped_by_name(compiled: Compiled) -> None:
    """Without a row there is a miss; without a rule, as for what is routed to the device by hand, it is unrouted."""
    with through_device(compiled, 4) as overlay:
        ours = overlay.topology.ours
        ours.ip("route add 192.168.77.0/24 dev encap0")
        with overlay.counting() as counted, Capture(overlay.topology.router, "to-ours") as wire:
            with ours.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.sendto(b"no row", ("10.200.1.1", 9))
                sender.sendto(b"no rule", ("192.168.77.7", 9))
            assert ping(overlay.topology.host("ours", 4), overlay.topology.host("far", 4))
            assert wire.frames(carries(b"no row")) == wire.frames(carries(b"no rule")) == []
        assert counted["egress_miss_sites"] == counted["egress_unrouted"] == 1


def test_an_outer_route_into_the_device_is_no_loop(compiled: Compiled) -> None:
    with through_device(compiled, 4) as overlay:
        overlay.topology.ours.ip(f"route replace {PLAN['far'].underlay[4]} dev encap0")
        with overlay.counting() as counted:
            assert not ping(overlay.topology.host("ours", 4), overlay.topology.host("far", 4), timeout=0.5)
        assert counted["egress_route_loop"] == counted["egress_rule_sites"] == 3

"""`next_hop: route` sends what is addressed to a group of stations: the inner MAC is multicast or broadcast."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.support import cli
from tests.support.topology import PLAN, Topology
from tests.support.wire import Capture, carries

pytestmark = pytest.mark.kernel

SPEC = """\
apiVersion: encap/v1alpha1
name: groups
kernel: "5.10"
host: {{uplink: device, address: {{type: ip, default: uplink.address}}}}
attach: {{devices: host.uplink}}
encapsulations:
  e: [{{ip: {{source: host.address, destination: endpoint.address}}}}]
endpoints:
  sites:
    key: destination
    fields: {{address: ip}}
    encapsulation: e
    rows: [{rows}]
egress:
  next_hop: route
  rules: [{{name: sites, match: {{destination: [{destinations}]}}, to: sites}}]
  default: pass
"""
DESTINATIONS = ("239.0.0.0/8", "10.77.0.0/16", "ff05::/16", "fd00:77::/64")
# What is sent, and to which MAC the kernel sends it.
GROUPS = {
    "239.1.2.3": "01:00:5e:01:02:03",
    "10.77.255.255": "ff:ff:ff:ff:ff:ff",
    "ff05::123": "33:33:00:00:01:23",
}


@pytest.fixture(scope="module", params=[4, 6], ids="outer{}".format)
def network(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Topology]:
    with Topology(offloads="off") as topology:
        ours, far = topology.ours, PLAN["far"].underlay[request.param]
        ours.ip("addr add 10.77.0.1/16 brd + dev eth0", "addr add fd00:77::1/64 dev eth0 nodad")
        ours.ip("route add 239.0.0.0/8 dev eth0 src 10.77.0.1")
        folder = tmp_path_factory.mktemp("groups")
        rows = ", ".join(f'{{destination: "{d}", address: "{far}"}}' for d in DESTINATIONS)
        destinations = ", ".join(f'"{d}"' for d in DESTINATIONS)
        (folder / "groups.yaml").write_text(SPEC.format(rows=rows, destinations=destinations))
        bundle, _ = cli.compile_spec(folder / "groups.yaml", folder / "build")
        own = ",".join(str(PLAN["ours"].underlay[v]) for v in (4, 6))
        cli.apply(ours, bundle, uplink="eth0", address=own)
        yield topology


def _send(topology: Topology, destination: str, payload: bytes) -> None:
    family = socket.AF_INET6 if ":" in destination else socket.AF_INET
    with topology.ours.socket(family, socket.SOCK_DGRAM) as sender:
        if family == socket.AF_INET:
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            sender.bind(("10.77.0.1", 0))
        elif destination.startswith("ff"):
            with topology.ours.entered():
                device = socket.if_nametoindex("eth0")
            sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, device)
        sender.sendto(payload, (destination, 9))


@pytest.mark.parametrize("destination", GROUPS)
def test_groups_reach_the_tunnel_endpoint(network: Topology, destination: str) -> None:
    payload = f"to {destination}".encode()
    with Capture(network.router, "wan") as wire, Capture(network.router, "to-ours") as link:
        _send(network, destination, payload)
        sent = [frame for frame in wire.frames(carries(payload)) if frame.outgoing]
        arrived = [frame for frame in link.frames(carries(payload)) if not frame.outgoing]
    # To the gateway's own MAC, once, encapsulated, and from there to the far end.
    assert len(sent) == 1 and len(arrived) == 1
    assert arrived[0].data[:6].hex(":") == network.mac("router", "lan")

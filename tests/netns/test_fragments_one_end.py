"""All fragments of a datagram go to one tunnel endpoint, where a rule by port precedes one for the same destination."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator

import pytest

from tests.support import cli
from tests.support.topology import PLAN, Topology
from tests.support.wire import Capture

pytestmark = pytest.mark.kernel

SPEC = """\
apiVersion: encap/v1alpha1
name: two-ends
kernel: "5.10"
host: {{uplink: device, address: {{type: ip, default: uplink.address}}}}
attach: {{devices: host.uplink}}
encapsulations:
  e: [{{ip: {{source: host.address, destination: endpoint.address}}}}]
endpoints:
  exits:
    fields: {{address: ip}}
    encapsulation: e
    rows: [{{name: dns, address: "{dns}"}}, {{name: rest, address: "{rest}"}}]
sets: {{there: [10.77.0.0/16, "fd00:77::/64"]}}
egress:
  rules:
    - {{name: dns, match: {{destination: there, protocol: udp, destination_port: 53}}, to: exits/dns}}
    - {{name: rest, match: {{destination: there}}, to: exits/rest}}
  default: pass
"""
TO = {4: "10.77.0.9", 6: "fd00:77::9"}


@pytest.fixture(scope="module", params=[4, 6], ids="outer{}".format)
def network(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Topology, int]]:
    with Topology(offloads="off") as topology:
        outer = request.param
        for version, prefix in ((4, "10.77.0.0/16"), (6, "fd00:77::/64")):
            via = PLAN["ours"].gateway[version]
            topology.ours.ip(f"route add {prefix} via {via} dev eth0 mtu 1400")
        folder = tmp_path_factory.mktemp("fragments")
        ends = {"dns": PLAN["near"].underlay[outer], "rest": PLAN["far"].underlay[outer]}
        (folder / "two-ends.yaml").write_text(SPEC.format(**ends))
        bundle, _ = cli.compile_spec(folder / "two-ends.yaml", folder / "build")
        cli.apply(topology.ours, bundle, uplink="eth0")
        yield topology, outer


@pytest.mark.parametrize("inner", [4, 6])
@pytest.mark.parametrize(("port", "end"), [(53, "near"), (5004, "far")])
@pytest.mark.parametrize("size", [1300, 3000, 9000])
def test_one_end(network: tuple[Topology, int], inner: int, port: int, end: str, size: int) -> None:
    topology, outer = network
    family = {4: socket.AF_INET, 6: socket.AF_INET6}[inner]
    payload = random.Random(size).randbytes(size)
    with (
        Capture(topology.router, "to-ours") as wire,
        topology.ours.socket(family, socket.SOCK_DGRAM) as sender,
    ):
        sender.sendto(payload, (TO[inner], port))
        frames = [frame.data for frame in wire.frames() if not frame.outgoing]
    ends = {
        name: socket.inet_pton(socket.AF_INET6 if outer == 6 else socket.AF_INET, str(PLAN[name].underlay[outer]))
        for name in ("near", "far")
    }
    at = slice(30, 34) if outer == 4 else slice(38, 54)
    seen = [name for data in frames for name, address in ends.items() if data[at] == address]
    assert set(seen) == {end}
    assert len(seen) >= size // 1400 + 1

"""Connect rules in the model and in the kernel: random sockets, nested cgroups, near misses of every constant."""

from __future__ import annotations

import json
import socket
import sys
from collections import Counter
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

from encap_compile.compile.model import Connecting, Machine
from encap_compile.compile.packet_tests.invented import machine_facts
from encap_compile.compile.pipeline import check_spec
from encap_compile.run.kernel.system import kernel_version
from tests.netns.loader_net import Wire, wire
from tests.support import cli
from tests.support.cgroups import Tree

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(kernel_version() < (5, 19), reason="the spec is for Linux 5.19"),
]
SPEC = """
apiVersion: encap/v1alpha1
name: connecting
kernel: "5.19"
host: {uplink: device, address: {type: ipv4, default: uplink.address}, root: cgroup}
attach: {devices: [host.uplink], cgroup: host.root}
sets: {inside: [10.1.8.0/24, "2001:db8:1:8::/64"]}
encapsulations: {ipip: [{ipv4: {source: host.address, destination: endpoint.address}}]}
endpoints:
  ways:
    fields: {address: ipv4}
    encapsulation: ipip
    rows: [{name: one, address: 192.0.2.2}, {name: two, address: 192.0.2.3}, {name: six, address: 192.0.2.4}]
    capacity: 10
connect:
  rules:
    - {name: inside, match: {destination: inside, cgroup: outer/inner}, action: pass}
    - {name: dns, match: {cgroup: outer, protocol: udp, destination_port: 53}, choose: ways/one}
    - name: six
      match: {destination: "2001:db8:1::/48", protocol: tcp, destination_port: [443, 8000-8009], cgroup: other}
      choose: ways/six
    - {name: marked, match: {mark: 0x10-0x1f, protocol: tcp}, choose: ways/two}
    - name: web
      match: {destination: 10.1.0.0/20, protocol: [tcp, udp], destination_port: [80, 443]}
      choose: ways/two
egress: {rules: [{name: chosen, socket: [ways]}], default: pass}
"""
CGROUPS = ("", "outer", "outer/inner", "outer/inner/most", "other", "others")
ADDRESSES = {
    socket.AF_INET: ("10.1.8.0", "10.1.7.255", "10.1.8.255", "10.1.9.0", "10.1.15.255", "10.1.16.0", "10.1.0.0"),
    socket.AF_INET6: ("2001:db8:1:8::", "2001:db8:1:7::1", "2001:db8:1:9::", "2001:db8:2::1", "2001:db8:1::1"),
}
PORTS = (52, 53, 54, 80, 81, 442, 443, 7999, 8000, 8009, 8010, 1, 65535)
MARKS = (0, 0xF, 0x10, 0x1F, 0x20, 0xFFFFFFFF)
KINDS = {6: socket.SOCK_STREAM, 17: socket.SOCK_DGRAM}
PER_CGROUP = 300
CONNECT = """
import json, socket, sys
sys.path.insert(0, sys.argv[1])
import connecting
found = []
for family, kind, mark, address, port in json.load(open(sys.argv[2])):
    sock = socket.socket(family, kind)
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark.to_bytes(4, sys.byteorder))
    sock.connect_ex((address, port))
    status = connecting.status(sock)
    found.append([status.name, status.rule])
    sock.close()
print(json.dumps(found))
"""


class Drawn(NamedTuple):
    family: int
    protocol: int
    mark: int
    address: str
    port: int


@pytest.fixture
def net() -> Iterator[Wire]:
    with wire() as made:
        made.ours.ip("addr add 2001:db8::1/64 dev eth0 nodad", "route add 2001:db8::/32 dev eth0")
        yield made


def draw(random: Random) -> Drawn:
    family = random.choice(list(ADDRESSES))
    protocol, mark = random.choice(list(KINDS)), random.choice(MARKS)
    return Drawn(family, protocol, mark, random.choice(ADDRESSES[family]), random.choice(PORTS))


def paths(cgroup: str) -> tuple[str, ...]:
    parts = cgroup.split("/") if cgroup else []
    return tuple("/".join(parts[: i + 1]) for i in range(len(parts)))


def test_no_difference(net: Wire, tmp_path: Path) -> None:
    """What is chosen, by which rule, and what is counted, by the model as by the kernel."""
    path = tmp_path / "connecting.yaml"
    path.write_text(SPEC)
    bundle, _ = cli.compile_spec(path, tmp_path)
    spec, lowered, _, findings = check_spec(str(path))
    machine = Machine(lowered.program, machine_facts(spec, lowered, findings))
    random, counted, rules = Random(1), Counter[str](), set[str]()
    with Tree() as tree:
        for cgroup in CGROUPS[3:]:
            tree.make(cgroup)
        tree.make("outer/beside")
        net.ctl("apply", bundle, "--set", "uplink=eth0", "--set", f"root={tree.path}", check=0)
        for cgroup in CGROUPS:
            drawn = [draw(random) for _ in range(PER_CGROUP)]
            sockets = tmp_path / "sockets.json"
            sockets.write_text(json.dumps([(d.family, KINDS[d.protocol], d.mark, d.address, d.port) for d in drawn]))
            enter = f'echo 0 > {tree.folder / cgroup}/cgroup.procs; exec "$@"'
            command = ["sh", "-c", enter, "sh", sys.executable, "-c", CONNECT, str(bundle), str(sockets)]
            said = json.loads(net.ours.run(command).stdout)
            for one, (name, rule) in zip(drawn, said, strict=True):
                to = Connecting(ip_address(one.address).packed, one.protocol, one.port, one.mark, paths(cgroup))
                outcome = machine.connect(to)
                chosen = "/".join(outcome.chosen or ())
                assert (chosen, outcome.rule if chosen else "") == (name, rule), (cgroup, one, outcome.steps)
                counted.update({name: packets for name, (packets, _) in outcome.counted.items()})
                rules.add(outcome.rule)
        shown = {row["name"]: row["packets"] for row in cli.stats(net.ours, bundle)}
        net.ctl("remove", "connecting", check=0)
    assert rules == {"", *(rule.name for rule in spec.connect)}  # every rule decided on some of them
    assert {name: shown[name] for name in shown if name.startswith("connect_")} == dict(counted)

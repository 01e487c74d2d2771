"""An appliance that forwards by the kernel behind a gateway load balancer: two endpoints with the same addresses."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support import cli
from tests.support.appliance import (
    APPLIANCE,
    BALANCER,
    CLIENT,
    ENIS,
    EXAMPLE,
    MARKS,
    PORT,
    SERVER,
    VNI,
    Network,
    options,
    tunnelled,
)
from tests.support.polling import until
from tests.support.traffic import bulk_tcp, ping, udp_echo
from tests.support.wire import Frame, quiet

pytestmark = pytest.mark.kernel
SO_MARK = 36
PAIRS = tuple(ENIS)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example with room for fewer flows: memory for a million is not what is tested."""
    folder = tmp_path_factory.mktemp("spec")
    text = EXAMPLE.read_text()
    assert "capacity: 1000000" in text
    (folder / "gwlb.yaml").write_text(text.replace("capacity: 1000000", "capacity: 10000"))
    (folder / "gwlb-enis.csv").write_text(EXAMPLE.with_name("gwlb-enis.csv").read_text())
    return cli.compile_spec(folder / "gwlb.yaml", folder / "build")[0]


@contextmanager
def inspecting(bundle: Path) -> Iterator[Network]:
    """At the end, nothing that the appliance put on the wire was unencapsulated."""
    with Network() as network:
        network.apply(bundle)
        yield network
        assert network.wire()["unencapsulated"] == 0


def from_appliance(frame: Frame) -> bool:
    """What it sends but for what keeps its link alive: IPv6 of link-local or no address."""
    return not frame.outgoing and not (
        frame.data[12:14] == b"\x86\xdd" and frame.data[22:24] in (b"\xfe\x80", bytes(2))
    )


def question(version: int, transport: Any, ttl: int = 64) -> Any:
    from scapy.layers.inet import IP
    from scapy.layers.inet6 import IPv6

    if version == 4:
        return IP(src=CLIENT[4], dst=SERVER[4], ttl=ttl) / transport
    return IPv6(src=CLIENT[6], dst=SERVER[6], hlim=ttl) / transport


def transports() -> dict[str, Any]:
    from scapy.layers.inet import ICMP, TCP, UDP

    return {
        "tcp": TCP(sport=4000, dport=80, flags="PA") / b"question",
        "udp": UDP(sport=4000, dport=53) / b"question",
        "icmp": ICMP(id=7, seq=1) / b"question",
    }


@pytest.mark.parametrize("version", [4, 6])
def test_every_byte_that_goes_back(bundle: Path, version: int) -> None:
    """Addresses exchanged, the port as it came, VNI and options too; inside one hop less. Each endpoint its own."""
    with inspecting(bundle) as network, network.capture() as wire:
        for name, transport in transports().items():
            if version == 6 and name == "icmp":
                continue
            for number, (pair, order) in enumerate((("a", "012"), ("b", "210"), ("a", "120"), ("b", "012"))):
                cookie, port, vni = bytes((number, 1, 2, 3)), 50000 + number, VNI + number
                wire.clear()
                network.send(bytes(question(version, transport)), ENIS[pair], cookie, order, port=port, vni=vni)
                frame = wire.first(from_appliance, f"{name} of {pair} comes back")
                forwarded = bytes(question(version, transport, ttl=63))
                wanted = tunnelled(forwarded, options(ENIS[pair], cookie), APPLIANCE, BALANCER, port, vni)
                assert frame.data[14:].hex() == wanted.hex()
                assert frame.data[:12].hex(":") == f"{network.mac('balancer')}:{network.mac('appliance')}"
        counters = network.counters()
        assert counters["ingress_rule_inspect"] == counters["egress_rule_back"] > 0
        assert counters["egress_rule_lost"] == 0


@pytest.mark.parametrize("version", [4, 6])
def test_real_traffic_of_two_endpoints(bundle: Path, version: int) -> None:
    """The same addresses behind both, and each reaches its own server only."""
    with inspecting(bundle) as network, network.balancing() as balancer:
        for pair in PAIRS:
            client, server = network.client(pair, version), network.server(pair, version)
            assert ping(client, server)
            assert udp_echo(client, server, sizes=(1, 512, 1200))
            assert bulk_tcp(client, server, size=100_000, timeout=30)
        report = balancer.stop()
        assert report.refused == []
        assert min(report.delivered[pair] for pair in PAIRS) > 100
        assert network.counters()["flows_changed"] == 0
        assert network.wire()["tunnel"] >= sum(report.delivered.values())


def test_nginx_and_curl_at_the_same_time(bundle: Path, tmp_path: Path) -> None:
    """Each client gets what its own server has, from one address and one port, over connections of the same ports."""
    for folder in (tmp_path, *tmp_path.parents[:3]):  # nginx does not read as root
        folder.chmod(0o755)
    servers, contents = [], {}
    with inspecting(bundle) as network, network.balancing() as balancer:
        try:
            for pair in PAIRS:
                root = tmp_path / pair
                root.mkdir()
                contents[pair] = os.urandom(100_000)
                (root / "file").write_bytes(contents[pair])
                (root / "nginx.conf").write_text(
                    f"daemon off; master_process off; pid {root}/pid; error_log /dev/null;\nevents {{}}\n"
                    f"http {{ access_log off; server {{ listen {SERVER[4]}:80; root {root}; }} }}\n"
                )
                namespace = network.server(pair, 4).namespace
                servers.append(namespace.popen(["nginx", "-c", str(root / "nginx.conf")], stderr=subprocess.DEVNULL))
                until(lambda n=namespace: n.run(["ss", "-Hlnt", "sport = :80"]).stdout, "nginx listens", 10)
            command = f"curl -sS -m 60 --local-port 40000 http://{SERVER[4]}/file | sha256sum"
            fetching = {
                pair: network.client(pair, 4).namespace.popen(["sh", "-c", command], stdout=subprocess.PIPE)
                for pair in PAIRS
            }
            for pair, process in fetching.items():
                assert process.communicate()[0].split()[0] == hashlib.sha256(contents[pair]).hexdigest()
        finally:
            for server in servers:
                server.kill()
                server.wait()
        assert balancer.stop().refused == []


def test_a_firewall_by_mark(bundle: Path) -> None:
    """The appliance sees inner packets, and whose they are: a port closed for one endpoint is open for the other."""
    with inspecting(bundle) as network, network.balancing():
        rule = f"meta mark {MARKS['a']:#x} udp dport 7007 counter drop"
        text = f"table inet inspect {{\nchain through {{\ntype filter hook forward priority 0;\n{rule}\n}}\n}}"
        network.appliance.run(["nft", text])
        assert not udp_echo(network.client("a", 4), network.server("a", 4), sizes=(64,), timeout=0.5)
        assert udp_echo(network.client("b", 4), network.server("b", 4), sizes=(64,))
        assert ping(network.client("a", 4), network.server("a", 4))


def test_an_endpoint_that_is_not_listed(bundle: Path) -> None:
    with inspecting(bundle) as network, network.capture() as wire:
        network.send(bytes(question(4, transports()["udp"])), b"unlisted")
        until(lambda: network.counters()["refused_gwlb__geneve_option_eni"] == 1, "it is refused by name")
        quiet(wire)
        assert wire.frames(from_appliance) == []
        assert network.counters()["ingress_rule_inspect"] == 0


def test_a_stranger(bundle: Path) -> None:
    with inspecting(bundle) as network, network.capture() as wire:
        network.send(bytes(question(4, transports()["udp"])), ENIS["a"], source="10.0.2.10")
        until(lambda: network.counters()["refused_gwlb__source"] == 1, "it is refused by name")
        quiet(wire)
        assert wire.frames(from_appliance) == []


@pytest.mark.parametrize("version", [4, 6])
def test_what_was_not_learned_does_not_leave(bundle: Path, version: int) -> None:
    """With an endpoint's mark and no flow of it: dropped and counted. Another mark is none of the spec's business."""
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    with Network() as network:
        network.apply(bundle)
        with network.appliance.socket(family, socket.SOCK_DGRAM) as sender:
            sender.setsockopt(socket.SOL_SOCKET, SO_MARK, MARKS["a"])
            for _ in range(3):
                sender.sendto(b"lost", (SERVER[version], 53))
            until(lambda: network.counters()["egress_rule_lost"] == 3, "they are dropped")
            assert network.wire() == {"unencapsulated": 0, "tunnel": 0}
            sender.setsockopt(socket.SOL_SOCKET, SO_MARK, 0)
            sender.sendto(b"our own", (SERVER[version], 53))
            until(lambda: network.wire()["unencapsulated"] == 1, "what has no mark leaves as it is")


def test_a_flow_of_the_other_endpoint_is_not_its_own(bundle: Path) -> None:
    """The same addresses and ports, learned for one mark only."""
    with inspecting(bundle) as network, network.capture() as wire:
        network.send(bytes(question(4, transports()["udp"])), ENIS["a"])
        wire.first(from_appliance, "it comes back")
        wire.clear()
        # As if the appliance had sent it on with the other endpoint's mark.
        with network.appliance.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
            raw.setsockopt(socket.SOL_SOCKET, SO_MARK, MARKS["b"])
            raw.sendto(bytes(question(4, transports()["udp"])), (SERVER[4], 0))
            until(lambda: network.counters()["egress_rule_lost"] == 1, "it is dropped")
            raw.setsockopt(socket.SOL_SOCKET, SO_MARK, MARKS["a"])
            raw.sendto(bytes(question(4, transports()["udp"])), (SERVER[4], 0))
            frame = wire.first(from_appliance, "with its own it goes to the balancer")
        assert int.from_bytes(frame.data[36:38], "big") == PORT


def test_without_the_program_nothing_of_this_holds() -> None:
    """What the other tests measure can be seen: nothing is forwarded, and the appliance sends unencapsulated."""
    with Network() as network, network.balancing() as balancer:
        assert not ping(network.client("a", 4), network.server("a", 4), count=1, timeout=0.5)
        assert sum(balancer.stop().delivered.values()) == 0
        assert not ping(type(network.client("a", 4))(network.appliance, APPLIANCE), network.server("a", 4), 1, 56, 0.3)
        assert network.wire()["unencapsulated"] > 0

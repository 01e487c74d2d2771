"""Servers of other people's making behind two balancers at once: every answer goes back the way its question came."""

from __future__ import annotations

import hashlib
import os
import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import gettempdir

import pytest

from tests.support import cli, kernel_vxlan
from tests.support.balancers import BALANCERS, CLIENTS, DEVICE, EXAMPLE, VIP, VNI, Server
from tests.support.netns import Namespace
from tests.support.polling import until
from tests.support.topology import PLAN, Topology
from tests.support.traffic import bulk_tcp, ping, udp_echo
from tests.support.wire import send_frames

pytestmark = pytest.mark.kernel
WAYS = [(4, 4), (4, 6), (6, 4), (6, 6)]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cli.compile_spec(EXAMPLE, tmp_path_factory.mktemp("build"))[0]


@contextmanager
def serving(bundle: Path, outer: int = 4, offloads: str = "off") -> Iterator[Server]:
    """The server reflects; at the end nothing has left unencapsulated, and both balancers got answers."""
    with Topology(offloads=offloads) as topology:
        server = Server(topology, outer)
        server.apply(bundle)
        yield server
        wire = server.wire()
        assert wire["unencapsulated"] == 0
        assert wire["near"] > 0
        assert wire["far"] > 0


@contextmanager
def running(namespace: Namespace, command: list[str], **more: object) -> Iterator[subprocess.Popen[str]]:
    process = namespace.popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def answers(server: Server, port: int) -> bool:
    """Whether something listens on a port of the server. (To try to bind it would be in the way of who is about to.)"""
    return bool(server.topology.ours.run(["ss", "-Hlntu", f"sport = :{port}"]).stdout)


@pytest.mark.parametrize(("inner", "outer"), WAYS)
def test_every_kind_of_traffic(bundle: Path, inner: int, outer: int) -> None:
    with serving(bundle, outer) as server:
        for role in BALANCERS:
            client, vip = server.client(role, inner), server.vip(inner)
            before = server.wire()
            assert ping(client, vip)
            assert udp_echo(client, vip)
            assert bulk_tcp(client, vip)
            after = server.wire()
            other = "far" if role == "near" else "near"
            assert after[role] - before[role] > 100
            assert after[other] == before[other]
        assert server.counters()["egress_rule_vip_unlearned"] == 0


def test_without_the_program_it_is_in_the_clear() -> None:
    """What the other tests measure can be seen: a server that does not reflect answers unencapsulated or not at all."""
    with Topology(offloads="off") as topology:
        server = Server(topology, 4)
        kernel_vxlan.vxlan_device(topology.ours, "vx0", topology.mac("ours"), VNI, PLAN["ours"].underlay[4], [])
        topology.ours.sysctl("net.ipv4.conf.all.rp_filter", 0)
        topology.ours.sysctl("net.ipv4.conf.vx0.rp_filter", 0)
        assert not ping(server.client("near", 4), server.vip(4), count=2, timeout=0.5)
        assert server.wire()["unencapsulated"] == 2


@pytest.mark.parametrize("outer", [4, 6])
def test_nginx_and_curl(bundle: Path, outer: int, tmp_path: Path) -> None:
    """Bulk in both directions, many connections at a time, closed by either side."""
    content = os.urandom(2 << 20)
    # nginx does not read as root: down from the folder that pytest makes for root alone.
    for folder in (tmp_path, *(f for f in tmp_path.parents if Path(gettempdir()) in f.parents)):
        folder.chmod(0o755)
    (tmp_path / "file").write_bytes(content)
    listen = "".join(f"listen {a}; " for a in (f"{VIP[4]}:80", f"[{VIP[6]}]:80"))
    config = tmp_path / "nginx.conf"
    config.write_text(
        f"daemon off; master_process off; pid {tmp_path}/pid; error_log /dev/null;\n"
        f"events {{}}\nhttp {{ access_log off; server {{ {listen} root {tmp_path}; }} }}\n"
    )
    with serving(bundle, outer) as server, running(server.topology.ours, ["nginx", "-c", str(config)]):
        until(lambda: answers(server, 80), "nginx listens", 10)
        with ExitStack() as stack:
            fetching = []
            for role in BALANCERS:
                for version in (4, 6):
                    host = f"[{VIP[6]}]" if version == 6 else VIP[4]
                    for keep in ("keep-alive", "close"):
                        command = f"curl -sS -m 30 -H 'Connection: {keep}' http://{host}/file http://{host}/file"
                        process = server.topology.namespaces[role].popen(
                            ["sh", "-c", f"{command} | sha256sum"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
                        )
                        fetching.append(stack.enter_context(process))
            for process in fetching:
                out, problem = process.communicate()
                assert out.split()[0] == hashlib.sha256(content * 2).hexdigest(), problem
        assert server.counters()["egress_rule_vip_unlearned"] == 0


def test_a_dns_server(bundle: Path) -> None:
    """One unconnected UDP socket, clients behind both balancers at once."""
    command = ["dnsmasq", "-k", "-C", "/dev/null", "-R", "-h", "-u", "root", "--bind-interfaces", "-p", "5353"]
    command += [f"--listen-address={VIP[4]}", f"--listen-address={VIP[6]}", "--address=/service.test/198.51.100.99"]
    with serving(bundle) as server, running(server.topology.ours, command):
        until(lambda: answers(server, 5353), "dnsmasq listens", 10)
        for _ in range(5):
            for role in BALANCERS:
                for version in (4, 6):
                    query = ["dig", "+short", "+tries=1", "+time=2", "-p", "5353", f"@{VIP[version]}", "service.test"]
                    assert server.topology.namespaces[role].run(query).stdout == "198.51.100.99\n"
        assert server.counters()["egress_rule_vip_unlearned"] == 0


def test_a_server_that_speaks_first(bundle: Path) -> None:
    """As SMTP and SSH: it sends before any data has come in. A process for each connection, which then closes first."""
    command = ["socat", "TCP6-LISTEN:25,fork,reuseaddr,ipv6only=0", "SYSTEM:echo 220 ready"]
    with serving(bundle) as server, running(server.topology.ours, command):
        until(lambda: answers(server, 25), "socat listens", 10)
        for role in BALANCERS:
            for version in (4, 6):
                client = server.client(role, version)
                with client.namespace.socket(client.family, socket.SOCK_STREAM) as connection:
                    connection.settimeout(3)
                    connection.connect((VIP[version], 25))
                    assert connection.recv(64) == b"220 ready\n"
                    assert connection.recv(64) == b""
        assert server.counters()["egress_rule_vip_unlearned"] == 0


def test_iperf3_with_parallel_streams(bundle: Path) -> None:
    with serving(bundle) as server, ExitStack() as stack:
        runs = []
        for port, (role, more) in enumerate([("near", []), ("far", ["-R"]), ("near", ["-R"]), ("far", [])], 5201):
            stack.enter_context(running(server.topology.ours, ["iperf3", "-s", "-p", str(port)]))
            until(lambda port=port: answers(server, port), "iperf3 listens", 10)
            command = ["iperf3", "-c", VIP[4], "-p", str(port), "-P", "8", "-t", "2", *more]
            runs.append(server.topology.namespaces[role].popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
        for run in runs:
            out, problem = run.communicate(timeout=30)
            assert run.returncode == 0, out + problem
        assert server.counters()["egress_rule_vip_unlearned"] == 0


def test_a_spoofed_segment_steals_nothing(bundle: Path) -> None:
    """From a balancer that is trusted: without the numbers of the connection its tuple alone is not believed."""
    from scapy.layers.inet import IP, TCP, UDP
    from scapy.layers.l2 import Ether
    from scapy.layers.vxlan import VXLAN

    with serving(bundle) as server:
        client = server.client("near", 4)
        assert ping(server.client("far", 4), server.vip(4))
        with server.topology.ours.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((VIP[4], 7100))
            listener.listen()
            with client.namespace.socket(socket.AF_INET, socket.SOCK_STREAM) as connection:
                connection.settimeout(3)
                connection.bind((client.address, 0))
                connection.connect((VIP[4], 7100))
                accepted, peer = listener.accept()
                with accepted:
                    inner = IP(src=CLIENTS["near"][4], dst=VIP[4])
                    segments = [TCP(sport=peer[1], dport=7100, flags="A", seq=n << 28, ack=n << 28) for n in range(16)]
                    outer = IP(src=str(PLAN["far"].underlay[4]), dst=str(PLAN["ours"].underlay[4])) / UDP(
                        sport=50000, dport=4789, chksum=0
                    )
                    ethernet = Ether(dst=server.topology.mac("router", "wan"), src=server.topology.mac("far"))
                    tunnel = VXLAN(flags=8, vni=VNI) / Ether(dst=server.topology.mac("ours"), src="02:66:66:66:66:66")
                    frames = [bytes(ethernet / outer / tunnel / inner / segment) for segment in segments]
                    sent = send_frames(server.topology.far, "eth0", frames)
                    until(lambda: server.counters()["flows_disbelieved"] >= sent - 1, "spoofed segments are checked")
                    before = server.wire()["far"]
                    for _ in range(5):
                        accepted.sendall(b"secret")
                        assert connection.recv(6) == b"secret"
                    assert server.wire()["far"] == before
        assert server.counters()["flows_changed"] <= 1


def test_a_new_connection_by_another_balancer(bundle: Path) -> None:
    """The same client port again, with nobody but a listener to ask: the new way counts, whatever was known before."""
    with serving(bundle) as server:
        server.second_tunnel("tun1")
        client = server.client("near", 4)
        assert ping(server.client("far", 4), server.vip(4))
        with server.topology.ours.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((VIP[4], 7100))
            listener.listen()
            for device in (DEVICE, "tun1", DEVICE):
                server.send_through("near", device)
                with client.namespace.socket(socket.AF_INET, socket.SOCK_STREAM) as connection:
                    connection.settimeout(3)
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    connection.bind((client.address, 33333))
                    connection.connect((VIP[4], 7100))
                    listener.accept()[0].close()
        assert server.counters()["flows_changed"] == 2
        assert server.counters()["flows_disbelieved"] == 0

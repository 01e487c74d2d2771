"""What answers a client goes back the way its question came, whatever kind of packet it is.

Kernels differ in who owns a packet at egress: the answer to a SYN, the last acknowledgement, a RST have a socket of
their own, one that many share, or none.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support.balancers import BALANCERS, DEVICE, VIP, Server
from tests.support.polling import until
from tests.support.topology import PLAN
from tests.support.traffic import Host, bulk_tcp, ping, udp_echo

from .bundles import encapsulations

ARRIVES = 5.0  # seconds until what should arrive counts as lost; an emulated kernel pauses now and then
NEVER = 0.3  # for what must not arrive; that its packets were dropped is counted
BULK = 256 << 10

pytestmark = pytest.mark.kernel
INNER = pytest.mark.parametrize("inner", [4, 6], ids=["ipv4 inside", "ipv6 inside"])


def behind(*names: str) -> pytest.MarkDecorator:
    """The network of a test: behind balancers of these encapsulations, over IPv4 and over IPv6."""
    ways = [(name, outer) for name in names for outer in (4, 6)]
    ids = [f"{name} over ipv{outer}" for name, outer in ways]
    return pytest.mark.parametrize("network", ways, ids=ids, indirect=True, scope="module")


@contextmanager
def listening(host: Host) -> Iterator[socket.socket]:
    with host.namespace.socket(host.family, socket.SOCK_STREAM) as listener:
        listener.bind((host.address, 0))
        listener.listen()
        listener.settimeout(ARRIVES)
        yield listener


@contextmanager
def client_of(
    host: Host, kind: socket.SocketKind = socket.SOCK_STREAM, timeout: float = ARRIVES
) -> Iterator[socket.socket]:
    with host.namespace.socket(host.family, kind) as made:
        made.settimeout(timeout)
        made.bind((host.address, 0))
        yield made


@contextmanager
def connected(server: Server, role: str, inner: int) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A client's connection by a balancer: its end, and the server's."""
    with listening(server.vip(inner)) as listener, client_of(server.client(role, inner)) as connection:
        connection.connect(listener.getsockname()[:2])
        accepted, _ = listener.accept()
        with accepted:
            accepted.settimeout(ARRIVES)
            yield connection, accepted


def cookies_sent(server: Server) -> int:
    """How many SYNs the server has answered with a cookie."""
    with server.topology.ours.entered():
        lines = Path("/proc/thread-self/net/netstat").read_text().splitlines()
    names, values = [line.split() for line in lines if line.startswith("TcpExt:")]
    return int(values[names.index("SyncookiesSent")])


@behind("vxlan")
@INNER
def test_syn_ack(server: Server, inner: int) -> None:
    """SYN-ACK"""
    before = cookies_sent(server)
    for role in BALANCERS:
        with connected(server, role, inner):
            pass
    assert cookies_sent(server) == before


@pytest.fixture
def cookies(network: Server) -> Iterator[Callable[[bool], None]]:
    """Call it to have every SYN answered with a cookie, or only those that do not fit into the queue."""

    def switch(always: bool) -> None:
        network.topology.ours.sysctl("net.ipv4.tcp_syncookies", 2 if always else 1)

    yield switch
    switch(False)


@behind("vxlan")
@INNER
def test_syn_ack_with_cookie(server: Server, inner: int, cookies: Callable[[bool], None]) -> None:
    """SYN-ACK with a SYN cookie"""
    cookies(True)
    before = cookies_sent(server)
    for role in BALANCERS:
        with connected(server, role, inner) as (connection, accepted):
            accepted.sendall(b"first")
            assert connection.recv(5) == b"first"
    assert cookies_sent(server) == before + 2


@behind("vxlan")
@INNER
def test_data(server: Server, inner: int) -> None:
    """TCP data both ways"""
    for role in BALANCERS:
        assert bulk_tcp(server.client(role, inner), server.vip(inner), BULK)


@behind("vxlan")
@INNER
def test_fin(server: Server, inner: int) -> None:
    """FIN, after the client's and before it"""
    for role in BALANCERS:
        for first in ("client", "server"):
            with connected(server, role, inner) as ends:
                one, other = ends if first == "client" else reversed(ends)
                one.shutdown(socket.SHUT_WR)
                assert other.recv(1) == b""
                other.shutdown(socket.SHUT_WR)
                assert one.recv(1) == b""


@behind("vxlan")
@INNER
def test_last_acknowledgement(server: Server, inner: int) -> None:
    """ACK from TIME_WAIT"""
    for role in BALANCERS:
        with connected(server, role, inner) as (connection, accepted):
            accepted.close()  # the server closes first: it is the one that waits
            assert connection.recv(1) == b""
            before = server.wire()[role]
            connection.close()
            until(lambda role=role, before=before: server.wire()[role] > before, "the last acknowledgement", ARRIVES)


@behind("vxlan")
@INNER
def test_rst(server: Server, inner: int) -> None:
    """RST from a closed port"""
    for role in BALANCERS:
        with client_of(server.client(role, inner)) as connection, pytest.raises(ConnectionRefusedError):
            connection.connect((VIP[inner], 9))


@behind("vxlan")
@INNER
def test_port_unreachable(server: Server, inner: int) -> None:
    """ICMP error about a closed UDP port"""
    for role in BALANCERS:
        with client_of(server.client(role, inner), socket.SOCK_DGRAM) as sender:
            sender.connect((VIP[inner], 9))
            sender.send(b"anyone?")
            with pytest.raises(ConnectionRefusedError):
                sender.recv(1)


@behind("vxlan")
@INNER
def test_udp_peers(server: Server, inner: int) -> None:
    """UDP server with peers behind both balancers"""
    vip = server.vip(inner)
    with ExitStack() as stack:
        service = stack.enter_context(vip.namespace.socket(vip.family, socket.SOCK_DGRAM))
        service.settimeout(ARRIVES)
        service.bind((vip.address, 0))
        clients = [stack.enter_context(client_of(server.client(r, inner), socket.SOCK_DGRAM)) for r in BALANCERS]
        for number in range(4):
            for role, client in zip(BALANCERS, clients, strict=True):
                client.sendto(f"{role} {number}".encode(), service.getsockname()[:2])
            asked = [service.recvfrom(64) for _ in BALANCERS]
            for question, peer in reversed(asked):  # so that no answer follows the question that it is to
                service.sendto(question, peer)
            for role, client in zip(BALANCERS, clients, strict=True):
                assert client.recv(64) == f"{role} {number}".encode()


@behind("vxlan")
@INNER
def test_echo(server: Server, inner: int) -> None:
    """ICMP echo"""
    for role in BALANCERS:
        assert ping(server.client(role, inner), server.vip(inner), count=1, timeout=ARRIVES)


@behind("vxlan")
def test_timestamp(network: Server) -> None:
    """ICMP timestamp requests are answered, and the answers are in no flow: the next rule decides"""
    before, wire = network.counters(), network.wire()
    client = network.client("near", 4)
    with client.namespace.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as asking:
        asking.bind((client.address, 0))
        asking.sendto(struct.pack("!BBHHHIII", 13, 0, 0xF2F7, 7, 1, 0, 0, 0), (VIP[4], 0))
    until(lambda: network.counters()["egress_rule_vip_unlearned"] > before["egress_rule_vip_unlearned"], "it", ARRIVES)
    assert network.counters()["flows_learned"] == before["flows_learned"]
    assert network.wire() == wire


@behind("vxlan")
@INNER
def test_an_encapsulator_that_changes_in_mid_flow(server: Server, inner: int) -> None:
    """A balancer that changes in mid-flow"""
    server.second_tunnel("tun1")
    changed = server.counters()["flows_changed"]
    with connected(server, "near", inner) as (connection, accepted):
        for device in (DEVICE, "tun1", DEVICE):
            server.send_through("near", device)
            before = server.topology.near.counter(device, "rx_packets")
            connection.sendall(b"question")
            assert accepted.recv(8) == b"question"
            accepted.sendall(b"answer")
            assert connection.recv(6) == b"answer"
            assert server.topology.near.counter(device, "rx_packets") > before
    assert server.counters()["flows_changed"] == changed + 2
    server.without_second_tunnel("tun1")


@behind(*encapsulations())
@INNER
def test_every_encapsulation(server: Server, inner: int) -> None:
    """Ping, UDP, TCP and RST by each encapsulation"""
    for role in BALANCERS:
        client, vip = server.client(role, inner), server.vip(inner)
        assert ping(client, vip, count=1, timeout=ARRIVES)
        assert udp_echo(client, vip, timeout=ARRIVES)
        assert bulk_tcp(client, vip, BULK)
        with client_of(client) as connection, pytest.raises(ConnectionRefusedError):
            connection.connect((VIP[inner], 9))


@behind("vxlan")
@INNER
def test_strangers_are_not_answered(other_way_in: Server, inner: int, cookies: Callable[[bool], None]) -> None:
    """Nothing to who asks past the balancers: SYN-ACK, with a cookie or without, RST, UDP, ICMP"""
    server = other_way_in
    stranger = Host(server.topology.far, str(PLAN["far"].underlay[inner]))
    before = server.wire()
    with listening(server.vip(inner)) as listener:
        open_, closed = listener.getsockname()[:2], (VIP[inner], 9)
        for always, address in ((False, open_), (True, open_), (False, closed)):
            cookies(always)
            with dropped(server), client_of(stranger, timeout=NEVER) as connection, pytest.raises(TimeoutError):
                connection.connect(address)
    with dropped(server):
        assert not udp_echo(stranger, server.vip(inner), sizes=(10,), timeout=NEVER)
    with dropped(server):
        assert not ping(stranger, server.vip(inner), count=1, timeout=NEVER)
    assert server.wire() == before


@contextmanager
def dropped(server: Server) -> Iterator[None]:
    """The rule behind the reflecting one takes at least one packet in the block."""
    before = server.counters()["egress_rule_vip_unlearned"]
    yield
    until(lambda: server.counters()["egress_rule_vip_unlearned"] > before, "an answer was dropped", ARRIVES)

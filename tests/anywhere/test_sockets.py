"""What a socket chose, or its cgroup, holds for every packet of it, whoever owns packets at egress on this kernel.

Each test is about the application's side: who answers says which way its packets went, and the wire is watched for any
that left unencapsulated.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from encap_compile.run.kernel.system import kernel_version
from tests.support.cgroups import Tree
from tests.support.exits import (
    APPLICATION,
    ARRIVES,
    CLOSE,
    DEEPEST,
    FAMILY,
    OTHER_SOURCE,
    PORT,
    SERVICE,
    Exits,
    ask,
    ask_datagram,
    level,
)
from tests.support.polling import until
from tests.support.topology import PLAN, Topology

from .bundles import EXITS, bundle

pytestmark = pytest.mark.kernel
INNER = pytest.mark.parametrize("inner", [4, 6], ids=["ipv4 inside", "ipv6 inside"])
COOKIES = pytest.mark.parametrize("cookies", [1, 2], ids=["backlog", "cookies"], indirect=True)
WHOSE = pytest.mark.parametrize("whose", ["a", "b"], ids=["chosen", "by cgroup"])
NEWER = kernel_version() >= (5, 19)  # programs say why they refuse, and can ask about MPTCP
BULK = 256 << 10
MPTCP = 262


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exits]:
    spec = EXITS["two-exits-newer" if NEWER else "two-exits"]
    with Tree() as tree, Topology(offloads="off") as topology:
        found = Exits(topology, tree)
        with found.socket("a", 4) as before:  # what the tests count can be seen
            before.connect((SERVICE[4], PORT))
            assert ask(before) == "router"
        assert found.wire()["unencapsulated"] > 3
        found.apply(bundle(spec, tmp_path_factory.mktemp("exits")))
        yield found
        found.close()


@pytest.fixture
def exits(network: Exits) -> Iterator[Exits]:
    """The network for a test of which no packet may leave unencapsulated."""
    before = network.settled()["unencapsulated"]
    yield network
    assert network.wire()["unencapsulated"] == before


def refusal(number: int) -> int:
    """What a refusal is called: before 5.18 programs cannot say."""
    return number if NEWER else errno.EPERM


@contextmanager
def refused(number: int) -> Iterator[None]:
    with pytest.raises(OSError) as caught:
        yield
    assert caught.value.errno == number, os.strerror(caught.value.errno or 0)


@contextmanager
def choosing(exits: Exits, inner: int, name: str = "exits/near", protocol: int = 0) -> Iterator[socket.socket]:
    with exits.socket("a", inner, protocol=protocol) as made:
        exits.choose(made, name)
        yield made


@contextmanager
def listening(exits: Exits, whose: str, inner: int, protocol: int = 0) -> Iterator[socket.socket]:
    """A listener whose answers go to `far`: it chose so, or its cgroup's rule says so."""
    with exits.socket(whose, inner, protocol=protocol) as made:
        if whose == "a":
            exits.choose(made, "exits/far")
        made.bind((APPLICATION[inner], 0))
        made.listen()
        yield made


@contextmanager
def arriving(exits: Exits, listener: socket.socket, inner: int, protocol: int = 0) -> Iterator[socket.socket]:
    """A connection from behind `far` to a listener: the other end of it."""
    with exits.topology.far.socket(FAMILY[inner], socket.SOCK_STREAM, protocol) as made:
        made.settimeout(ARRIVES)
        made.bind((str(PLAN["far"].overlay[inner]), 0))
        made.connect(listener.getsockname()[:2])
        yield made


def sent(exits: Exits, role: str) -> int:
    return exits.wire()[role]


def exchange(one: socket.socket, other: socket.socket, size: int = BULK) -> None:
    """Bulk in both directions, one after the other, compared."""
    for source, sink in ((one, other), (other, one)):
        data = os.urandom(size)
        sender = threading.Thread(target=source.sendall, args=(data,))
        sender.start()
        received = b""
        while len(received) < size and (more := sink.recv(1 << 18)):
            received += more
        sender.join()
        assert received == data


@INNER
def test_tcp(exits: Exits, inner: int) -> None:
    """A TCP client"""
    for name in ("exits/near", "exits/far"):
        with choosing(exits, inner, name) as client:
            client.connect((SERVICE[inner], PORT))
            assert ask(client) == name.removeprefix("exits/")
            status = exits.status(client)
            assert (status.state, status.overhead, status.name) == (1, 50, name)
            assert status.mss == 1500 - 50 - (20 if inner == 4 else 40) - 20
            assert status.packets >= 3 and status.bytes > 3 * 40


@INNER
def test_nothing_chosen(network: Exits, inner: int) -> None:
    """Who has not chosen goes by the rules behind"""
    for cgroup, who in (("a", "router"), ("a/within", "router"), ("b", "far"), ("elsewhere", "router")):
        with network.socket(cgroup, inner) as client:
            client.connect((SERVICE[inner], PORT))
            assert ask(client) == who, cgroup


@INNER
def test_udp(exits: Exits, inner: int) -> None:
    """UDP, connected and not"""
    with exits.socket("a/within", inner, socket.SOCK_DGRAM) as client:
        for name in ("exits/near", "exits/far"):
            exits.choose(client, name)
            assert ask_datagram(client, inner) == name.removeprefix("exits/")
        client.connect((SERVICE[inner], PORT))
        exits.choose(client, "exits/near")
        assert ask(client) == "near"


@INNER
def test_cleared(network: Exits, inner: int) -> None:
    """A choice that is taken back"""
    for empty in ("", "\0"):
        with network.socket("a", inner, socket.SOCK_DGRAM) as client:
            network.choose(client, "exits/near")
            assert ask_datagram(client, inner) == "near"
            network.choose(client, empty)
            assert ask_datagram(client, inner) == "router"
            status = network.status(client)
            assert (status.state, status.overhead, status.packets, status.name) == (0, 0, 0, "")


@INNER
def test_bulk(exits: Exits, inner: int) -> None:
    """Bulk in both directions fits a path of 1500 bytes"""
    with listening(exits, "a", inner) as listener, arriving(exits, listener, inner) as peer:
        accepted, _ = listener.accept()
        with accepted:
            exchange(peer, accepted)
    with choosing(exits, inner) as client:
        client.connect((SERVICE[inner], PORT))
        sender = threading.Thread(target=client.sendall, args=(bytes(BULK),))
        sender.start()
        received = 0
        while received < BULK:
            received += len(client.recv(1 << 18))
        sender.join()


@pytest.fixture
def cookies(network: Exits, request: pytest.FixtureRequest) -> Iterator[int]:
    """net.ipv4.tcp_syncookies of the application's host: 2 answers every SYN with one."""
    network.topology.ours.sysctl("net.ipv4.tcp_syncookies", request.param)
    yield request.param
    network.topology.ours.sysctl("net.ipv4.tcp_syncookies", 1)


@COOKIES
@WHOSE
@INNER
def test_server(exits: Exits, inner: int, whose: str, cookies: int) -> None:
    """A TCP server: SYN-ACK, data, FIN, and the last acknowledgement"""
    with listening(exits, whose, inner) as listener:
        for first in ("client", "server"):  # who closes first waits
            with arriving(exits, listener, inner) as peer:
                accepted, _ = listener.accept()
                with accepted:
                    exchange(peer, accepted, 4096)
                    if whose == "a":
                        assert exits.status(accepted).name == "exits/far"
                    if first == "client":
                        peer.shutdown(socket.SHUT_WR)
                        assert accepted.recv(1) == b""
                if first == "server":
                    assert peer.recv(1) == b""
                before = sent(exits, "far")
            if first == "server":
                until(lambda before=before: sent(exits, "far") > before, "the acknowledgement from TIME_WAIT")


def _broken(connection: socket.socket) -> bool:
    try:
        connection.send(b"late")
    except OSError:
        return True
    return False


@WHOSE
@INNER
def test_late_data(exits: Exits, inner: int, whose: str) -> None:
    """RST for data that come when the connection is closed"""
    with listening(exits, whose, inner) as listener, arriving(exits, listener, inner) as peer:
        accepted, _ = listener.accept()
        accepted.close()
        assert peer.recv(1) == b""
        before = sent(exits, "far")
        until(lambda: _broken(peer), "the reset arrives")
        assert sent(exits, "far") > before


@WHOSE
@INNER
def test_aborted(exits: Exits, inner: int, whose: str) -> None:
    """RST of a connection that is aborted"""
    with listening(exits, whose, inner) as listener, arriving(exits, listener, inner) as peer:
        accepted, _ = listener.accept()
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        accepted.close()
        with refused(errno.ECONNRESET):
            peer.recv(1)


@INNER
def test_closed_early(exits: Exits, inner: int) -> None:
    """A client that is gone before the service has closed"""
    for last in (b"more", CLOSE):
        with choosing(exits, inner) as client:
            client.connect((SERVICE[inner], PORT))
            assert ask(client) == "near"
            client.sendall(last)
            before = sent(exits, "near")
        until(lambda before=before: sent(exits, "near") > before, "what answers for the closed socket")


@INNER
def test_changed(exits: Exits, inner: int) -> None:
    """A live connection that changes its choice: from the next packet on"""
    with choosing(exits, inner, "exits/far") as client:
        client.connect((SERVICE[inner], PORT))
        assert ask(client) == "far"
        before = exits.wire()
        exits.choose(client, "exits/near")
        client.sendall(b"to nobody: the connection is known at the other exit")
        until(lambda: sent(exits, "near") > before["near"], "packets by the new way")
        assert sent(exits, "far") == before["far"]


@INNER
def test_shared(exits: Exits, inner: int) -> None:
    """dup and fork: one socket, one choice"""
    with exits.socket("a", inner, socket.SOCK_DGRAM) as client, client.dup() as other:
        exits.choose(other, "exits/near")
        assert ask_datagram(client, inner) == "near"
        child = os.fork()
        if not child:  # pragma: no cover - measured in the parent
            with suppress(OSError):
                exits.choose(client, "exits/far")
                os._exit(0)
            os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
        assert ask_datagram(client, inner) == "far"


@INNER
def test_reuseport(exits: Exits, inner: int) -> None:
    """Listeners that share a port, each with its choice"""
    with exits.socket("a", inner) as one, exits.socket("a", inner) as other:
        port = 0
        for listener in (one, other):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            exits.choose(listener, "exits/far")
            listener.bind((APPLICATION[inner], port))
            listener.listen()
            port = listener.getsockname()[1]
        for _ in range(6):
            with arriving(exits, one, inner) as peer:
                peer.shutdown(socket.SHUT_WR)


@INNER
def test_fast_open(exits: Exits, inner: int) -> None:
    """TCP Fast Open: data in the SYN, answered before the handshake is done"""
    for role in ("ours", "far"):
        exits.topology.namespaces[role].sysctl("net.ipv4.tcp_fastopen", 3)
    with listening(exits, "a", inner) as listener:
        listener.setsockopt(socket.IPPROTO_TCP, 23, 5)  # TCP_FASTOPEN
        for _ in range(2):  # the first one fetches the cookie
            with exits.topology.far.socket(FAMILY[inner], socket.SOCK_STREAM) as peer:
                peer.bind((str(PLAN["far"].overlay[inner]), 0))
                peer.sendto(b"early", socket.MSG_FASTOPEN, listener.getsockname()[:2])
                accepted, _ = listener.accept()
                with accepted:
                    assert accepted.recv(16) == b"early"
                    accepted.sendall(b"answer")
                    peer.settimeout(ARRIVES)
                    assert peer.recv(16) == b"answer"
    with exits.topology.ours.entered():
        lines = Path("/proc/thread-self/net/netstat").read_text().splitlines()
    names, values = [line.split() for line in lines if line.startswith("TcpExt:")]
    assert int(values[names.index("TCPFastOpenPassive")]) >= 1


def test_mapped(exits: Exits) -> None:
    """An IPv6 socket that talks IPv4"""
    with choosing(exits, 6) as client:
        client.connect((f"::ffff:{SERVICE[4]}", PORT))
        assert ask(client) == "near"
        assert exits.status(client).mss == 1500 - 50 - 20 - 20
    with exits.socket("a", 6, socket.SOCK_DGRAM) as client:
        exits.choose(client, "exits/near")
        assert ask_datagram(client, 4) == "near"


def test_raw(exits: Exits) -> None:
    """Raw sockets"""
    with exits.socket("a", 4, socket.SOCK_RAW, socket.IPPROTO_TCP) as raw:
        exits.choose(raw, "exits/far")
        before = sent(exits, "far")
        raw.sendto(struct.pack(">HHIIBBHHH", 1234, PORT, 1, 0, 0x50, 2, 1000, 0, 0), (SERVICE[4], 0))
        assert sent(exits, "far") == before + 1
    with exits.socket("a", 4, socket.SOCK_RAW, socket.IPPROTO_ICMP) as raw:
        exits.choose(raw, "exits/near")
        raw.sendto(struct.pack(">BBHHH", 8, 0, 0xFFFF & ~(0x0800 + 0x1234 + 1), 0x1234, 1), (SERVICE[4], 0))
        assert raw.recv(128)[20] == 0


@INNER
def test_connect_rule(exits: Exits, inner: int) -> None:
    """Chosen at connect for who does not choose"""
    before = exits.counters()["connect_rule_chosen_for"]
    with exits.socket("c", inner) as client:
        client.connect((SERVICE[inner], PORT))
        assert ask(client) == "near"
        assert exits.status(client).name == "exits/near"
    with exits.socket("c", inner, socket.SOCK_DGRAM) as client:
        client.connect((SERVICE[inner], PORT))
        assert ask(client) == "near"
    with exits.socket("c", inner) as client:
        exits.choose(client, "exits/far")
        client.connect((SERVICE[inner], PORT))
        assert ask(client) == "far"
    assert exits.counters()["connect_rule_chosen_for"] == before + 3


@INNER
def test_connect_rule_mptcp(exits: Exits, inner: int) -> None:
    """Where MPTCP can choose: chosen at connect for the application's socket, if that has not chosen"""
    if not NEWER or not Path("/proc/sys/net/mptcp/enabled").exists():
        return  # nothing can choose: see the test of MPTCP among those of socket options
    for own, who in (("", "near"), ("exits/far", "far")):
        with exits.socket("c", inner, protocol=MPTCP) as client:
            exits.choose(client, own)
            client.connect((SERVICE[inner], PORT))
            assert ask(client) == who
            assert exits.status(client).name == f"exits/{who}"


@INNER
def test_not_chosen_at_connect(network: Exits, inner: int) -> None:
    """A connect rule does not choose for others, and not for datagrams without connect"""
    with network.socket("a", inner) as client:
        client.connect((SERVICE[inner], PORT))
        assert ask(client) == "router"
    with network.socket("c", inner, socket.SOCK_DGRAM) as client:
        assert ask_datagram(client, inner) == "router"


@INNER
def test_per_message(exits: Exits, inner: int) -> None:
    """One datagram at a time: by its source address and by its DSCP"""
    at = (SERVICE[inner], PORT)
    with exits.socket("a", inner, socket.SOCK_DGRAM) as client:
        exits.choose(client, "exits/far")
        assert ask_datagram(client, inner) == "far"
        address = socket.inet_pton(FAMILY[inner], OTHER_SOURCE[inner])
        if inner == 4:
            info = (socket.IPPROTO_IP, 8, struct.pack("=I4s4s", 0, address, bytes(4)))  # IP_PKTINFO
            dscp = (socket.IPPROTO_IP, socket.IP_TOS, struct.pack("=i", 46 << 2))
        else:
            info = (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, struct.pack("=16sI", address, 0))
            dscp = (socket.IPPROTO_IPV6, socket.IPV6_TCLASS, struct.pack("=i", 46 << 2))
        for control in (info, dscp):
            client.sendmsg([b"who?"], [control], 0, at)
            assert client.recv(64) == b"near"
            assert ask_datagram(client, inner) == "far"


@INNER
def test_no_control_message_of_our_own(network: Exits, inner: int) -> None:
    """The kernel ignores a control message of an unknown level and sends: choosing so would fail open"""
    with network.socket("a", inner, socket.SOCK_DGRAM) as client:
        control = (level(network.spec), 1, b"exits/near")
        client.sendmsg([b"who?"], [control], 0, (SERVICE[inner], PORT))
        assert client.recv(64) == b"router"


@INNER
def test_rows_by_cgroup(exits: Exits, inner: int) -> None:
    """A row that is found by the innermost cgroup"""
    exits.tree.make("units/one/deep/deeper") if not (exits.tree.folder / "units/one/deep").exists() else None
    for cgroup, who in (
        ("units/one", "far"),
        ("units/one/inner", "near"),
        ("units/one/deep/deeper", "far"),
        (DEEPEST, "near"),
    ):
        with exits.socket(cgroup, inner) as client:
            client.connect((SERVICE[inner], PORT))
            assert ask(client) == who, cgroup
    before = exits.counters()["egress_miss_by_unit"]
    with exits.socket("units/other", inner, socket.SOCK_DGRAM) as client:
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            ask_datagram(client, inner)
    assert exits.counters()["egress_miss_by_unit"] == before + 1


@INNER
def test_groups(network: Exits, inner: int) -> None:
    """Link-scope multicast passes; a wider group, and ICMP of a raw socket, are encapsulated as chosen"""
    with network.topology.ours.entered():
        eth0 = socket.if_nametoindex("eth0")
    groups = {4: ("224.0.0.251", "239.1.2.3"), 6: ("ff02::fb", "ff05::1:3")}[inner]
    with network.socket("a", inner, socket.SOCK_DGRAM) as client:
        network.choose(client, "exits/near")
        if inner == 4:
            client.setsockopt(
                socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("=4s4si", bytes(4), bytes(4), eth0)
            )
            client.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 5)
        else:
            client.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, eth0)
            client.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 5)
        for group, ours, near in zip(groups, ("egress_link_local", "egress_rule_chosen"), (0, 1), strict=True):
            wire, before = network.wire(), network.counters()
            client.sendto(b"to all", (group, PORT))
            assert network.wire()["near"] == wire["near"] + near
            assert network.counters()[ours] >= before[ours] + 1
    with network.socket("a", 4, socket.SOCK_RAW, socket.IPPROTO_ICMP) as asking:
        network.choose(asking, "exits/near")
        wire = network.wire()
        asking.sendto(struct.pack("!BBHHHIII", 13, 0, 0xF2F7, 7, 1, 0, 0, 0), (SERVICE[4], 0))
        assert network.wire()["near"] == wire["near"] + 1

"""Connect rules: each connect() is a new decision, an application's own choice stays, the status says whose it is."""

from __future__ import annotations

import ctypes
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from encap_compile.run.kernel.system import kernel_version
from tests.support.cgroups import Tree
from tests.support.exits import (
    APPLICATION,
    FAMILY,
    PORT,
    SERVICE,
    STATUS,
    WHO,
    Exits,
    ask,
    level,
)
from tests.support.exits import EXITS as ROLES
from tests.support.fnv import fnv1a
from tests.support.topology import Topology

from .bundles import EXITS, bundle

pytestmark = pytest.mark.kernel
INNER = pytest.mark.parametrize("inner", [4, 6], ids=["ipv4 inside", "ipv6 inside"])
NEWER = kernel_version() >= (5, 19)
STREAM, DATAGRAM, MPTCP = socket.SOCK_STREAM, socket.SOCK_DGRAM, 262
RULE, OTHER = PORT, 8000  # a port that the rule `chosen-for` names, and one that no rule does
SILENT = PORT + 2  # the rule names it too, and nobody answers there
BY_NOBODY, BY_APPLICATION, BY_RULE = 0, 1, 2
UNREACHABLE = {4: "198.51.100.77", 6: "2001:db8:5::77"}
_libc = ctypes.CDLL(None, use_errno=True)


@pytest.fixture(scope="module")
def exits(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exits]:
    with Tree() as tree, Topology(offloads="off") as topology, ExitStack() as stack:
        found = Exits(topology, tree)
        for address in UNREACHABLE.values():
            topology.ours.ip(f"route add unreachable {address}")
        spec = EXITS["two-exits-newer" if NEWER else "two-exits"]
        found.apply(bundle(spec, tmp_path_factory.mktemp("exits")))
        # Nobody answers at these ports, not even by an ICMP error.
        for role in (*ROLES, "router"):
            for version, address in SERVICE.items():
                for port in (OTHER, SILENT):
                    sink = topology.namespaces[role].socket(FAMILY[version], DATAGRAM)
                    stack.enter_context(sink).bind((address, port))
        yield found
        found.close()


def whose(exits: Exits, of: socket.socket) -> tuple[str, int, int]:
    """What is chosen, who has chosen it, and by which rule."""
    answer = of.getsockopt(level(exits.spec), STATUS, 144)
    assert len(answer) == 144
    assert struct.unpack_from("=I", answer)[0] == 144
    chosen_by, rule = struct.unpack_from("=II", answer, 136)
    return answer[32:136].rstrip(b"\0").decode(), chosen_by, rule


def dissolve(connected: socket.socket) -> None:
    """connect() to AF_UNSPEC, which Python's sockets cannot say."""
    address = struct.pack("=H14x", socket.AF_UNSPEC)
    assert _libc.connect(connected.fileno(), address, len(address)) == 0


def left(exits: Exits, by: str, sender: socket.socket, *to: tuple[str, int]) -> None:
    """A datagram leaves `by` an exit, or unencapsulated, and no other way."""
    before = exits.wire()
    if to:
        sender.sendto(b"to nobody", *to)
    else:
        sender.send(b"to nobody")
    after = exits.wire()
    assert {name: after[name] - before[name] for name in ("unencapsulated", "far", "near")} == {
        "unencapsulated": 0,
        "far": 0,
        "near": 0,
        by: 1,
    }


CHOSEN = ("exits/near", BY_RULE, fnv1a("chosen-for"))
NOTHING = ("", BY_NOBODY, 0)


@INNER
def test_connected_again(exits: Exits, inner: int) -> None:
    """UDP: a new connect() is a new decision"""
    with exits.socket("c", inner, DATAGRAM) as client:
        for _ in range(3):
            client.connect((SERVICE[inner], RULE))
            assert whose(exits, client) == CHOSEN
            assert ask(client) == "near"
            client.connect((SERVICE[inner], OTHER))
            assert whose(exits, client) == NOTHING
            left(exits, "unencapsulated", client)


@INNER
def test_dissolved(exits: Exits, inner: int) -> None:
    """UDP: connect() to AF_UNSPEC takes back what a rule chose"""
    with exits.socket("c", inner, DATAGRAM) as client:
        client.connect((SERVICE[inner], SILENT))
        left(exits, "near", client)
        dissolve(client)
        assert whose(exits, client) == NOTHING
        left(exits, "unencapsulated", client, (SERVICE[inner], SILENT))
        client.connect((SERVICE[inner], SILENT))
        left(exits, "near", client)


@INNER
def test_failed(exits: Exits, inner: int) -> None:
    """UDP: a connect() that fails leaves the association, and its decision, in force"""
    with exits.socket("c", inner, DATAGRAM) as client:
        client.connect((SERVICE[inner], SILENT))
        for _ in range(3):
            with pytest.raises(OSError):
                client.connect((UNREACHABLE[inner], OTHER))
            assert client.getpeername()[:2] == (SERVICE[inner], SILENT)
            assert whose(exits, client) == CHOSEN
            left(exits, "near", client)
        client.connect((SERVICE[inner], OTHER))
        with pytest.raises(OSError):
            client.connect((UNREACHABLE[inner], SILENT))
        assert whose(exits, client) == NOTHING
        left(exits, "unencapsulated", client)


@INNER
def test_by_the_application(exits: Exits, inner: int) -> None:
    """What the application has chosen stays, whatever it connects to"""
    with exits.socket("c", inner, DATAGRAM) as client:
        exits.choose(client, "exits/far")
        for port in (SILENT, OTHER):
            client.connect((SERVICE[inner], port))
            assert whose(exits, client) == ("exits/far", BY_APPLICATION, 0)
            left(exits, "far", client)
        dissolve(client)
        left(exits, "far", client, (SERVICE[inner], OTHER))
    with exits.socket("c", inner, DATAGRAM) as client:  # a rule first, then the application
        client.connect((SERVICE[inner], SILENT))
        exits.choose(client, "exits/far")
        assert whose(exits, client) == ("exits/far", BY_APPLICATION, 0)
        client.connect((SERVICE[inner], OTHER))
        left(exits, "far", client)
        exits.choose(client, "")
        assert whose(exits, client) == NOTHING
        left(exits, "unencapsulated", client)
        client.connect((SERVICE[inner], SILENT))
        assert whose(exits, client) == CHOSEN
        left(exits, "near", client)


@INNER
@pytest.mark.parametrize("kind", [STREAM, DATAGRAM])
def test_cleared(exits: Exits, inner: int, kind: int) -> None:
    """Choosing nothing takes back the application's own choice, and never what a rule chose"""
    with exits.socket("c", inner, kind) as client:
        client.connect((SERVICE[inner], RULE))
        assert ask(client) == "near"
        exits.choose(client, "")
        assert (whose(exits, client), ask(client)) == (CHOSEN, "near")
        exits.choose(client, "exits/far")
        assert whose(exits, client) == ("exits/far", BY_APPLICATION, 0)
        exits.choose(client, "")
        assert (whose(exits, client), ask(client)) == (CHOSEN, "near")
    with exits.socket("c", inner, kind) as client:  # the application first, then a rule
        exits.choose(client, "exits/far")
        client.connect((SERVICE[inner], RULE))
        assert (whose(exits, client), ask(client)) == (("exits/far", BY_APPLICATION, 0), "far")
        if kind == DATAGRAM:  # of TCP the far end knows nothing of the connection
            exits.choose(client, "")
            assert (whose(exits, client), ask(client)) == (CHOSEN, "near")


def test_mapped(exits: Exits) -> None:
    """An IPv6 socket that connects to IPv4 addresses, and fails to"""
    with exits.socket("c", 6, DATAGRAM) as client:
        client.connect((f"::ffff:{SERVICE[4]}", SILENT))
        assert whose(exits, client) == CHOSEN
        left(exits, "near", client)
        with pytest.raises(OSError):
            client.connect((f"::ffff:{UNREACHABLE[4]}", OTHER))
        left(exits, "near", client)
        client.connect((f"::ffff:{SERVICE[4]}", OTHER))
        assert whose(exits, client) == NOTHING
        left(exits, "unencapsulated", client)


@INNER
def test_tcp_again(exits: Exits, inner: int) -> None:
    """TCP: connect() again after a refused one, and after that listen(): the rule's choice is gone"""
    with exits.socket("c", inner) as client:
        near = exits.wire()["near"]
        with pytest.raises(ConnectionRefusedError):
            client.connect((SERVICE[inner], RULE + 1))
        assert exits.wire()["near"] > near
        dissolve(client)
        wire = exits.wire()
        with pytest.raises(ConnectionRefusedError):
            client.connect((SERVICE[inner], OTHER))
        assert exits.wire()["near"] == wire["near"]
        assert exits.wire()["unencapsulated"] > wire["unencapsulated"]
        dissolve(client)
        client.connect((SERVICE[inner], RULE))
        assert ask(client) == "near"
        assert whose(exits, client) == CHOSEN
    with exits.socket("c", inner) as listener:
        with pytest.raises(ConnectionRefusedError):
            listener.connect((SERVICE[inner], RULE + 1))
        dissolve(listener)
        listener.bind((APPLICATION[inner], 0))
        listener.listen()
        assert whose(exits, listener) == NOTHING
        with exits.topology.ours.socket(FAMILY[inner], STREAM) as peer:
            peer.connect(listener.getsockname()[:2])
            accepted, _ = listener.accept()
            with accepted:
                assert whose(exits, accepted) == NOTHING


@INNER
def test_mptcp(exits: Exits, inner: int) -> None:
    """MPTCP: chosen for the connection, and shown at its socket"""
    if not (NEWER and Path("/proc/sys/net/mptcp/enabled").exists()):
        return  # as in the tests of socket options
    with exits.socket("c", inner, protocol=MPTCP) as client:
        unencapsulated = exits.wire()["unencapsulated"]
        client.connect((SERVICE[inner], RULE))
        client.sendall(WHO)
        assert client.recv(64) == b"near"
        assert whose(exits, client) == CHOSEN
        assert exits.wire()["unencapsulated"] == unencapsulated


def test_sizes_of_the_status(exits: Exits) -> None:
    """The status of the first version, for applications that were built with it, and the whole"""
    with exits.socket("c", 4, DATAGRAM) as client:
        client.connect((SERVICE[4], RULE))
        for length, given in ((136, 136), (140, 136), (143, 136), (144, 144), (1024, 144)):
            answer = client.getsockopt(level(exits.spec), STATUS, length)
            assert len(answer) == struct.unpack_from("=I", answer)[0] == given
            assert answer[32:].startswith(b"exits/near\0")
        with pytest.raises(OSError):
            client.getsockopt(level(exits.spec), STATUS, 135)

"""The socket option itself: who may choose what, what is refused and how, and that everything else is left alone."""

from __future__ import annotations

import array
import ctypes
import errno
import os
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path

import pytest

from encap_compile.run.kernel.system import kernel_version
from tests.support.cgroups import Tree
from tests.support.exits import (
    APPLICATION,
    ARRIVES,
    CHOOSE,
    FAMILY,
    PORT,
    SERVICE,
    STATUS,
    Exits,
    ask,
    ask_datagram,
    level,
)
from tests.support.netns import Namespace
from tests.support.polling import until
from tests.support.topology import PLAN, Topology

from .bundles import AFTER, EXITS, NEXT, bundle

pytestmark = pytest.mark.kernel
INNER = pytest.mark.parametrize("inner", [4, 6], ids=["ipv4 inside", "ipv6 inside"])
NEWER = kernel_version() >= (5, 19)  # programs say why they refuse, and can ask about MPTCP
MPTCP = 262
STREAM, DATAGRAM, RAW = socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW
_libc = ctypes.CDLL(None, use_errno=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exits")


@pytest.fixture(scope="module")
def exits(folder: Path) -> Iterator[Exits]:
    with Tree() as tree, Topology(offloads="off") as topology:
        found = Exits(topology, tree)
        found.apply(bundle(EXITS["two-exits-newer" if NEWER else "two-exits"], folder))
        yield found
        found.close()


@pytest.fixture
def only_choosing(folder: Path) -> Iterator[Exits]:
    """A network in which nobody is encapsulated who has not chosen."""
    with Tree() as tree, Topology(offloads="off") as topology:
        found = Exits(topology, tree)
        found.apply(bundle(EXITS["only-chosen"], folder))
        yield found
        found.close()


@contextmanager
def refused(number: int, always: bool = False) -> Iterator[None]:
    """With this error; before 5.18 programs cannot say which, and it is EPERM, but for what is `always` so."""
    wanted = number if NEWER or always else errno.EPERM
    with pytest.raises(OSError) as caught:
        yield
    assert caught.value.errno == wanted, os.strerror(caught.value.errno or 0)


def raw_status(of: socket.socket, option: int, size: int, at: int) -> int:
    """getsockopt with a buffer of any size: the length that comes back, or an error as OSError."""
    buffer, length = ctypes.create_string_buffer(max(size, 1)), ctypes.c_uint32(size)
    if _libc.getsockopt(of.fileno(), ctypes.c_int(at), option, buffer, ctypes.byref(length)):
        raise OSError(ctypes.get_errno(), "getsockopt")
    return length.value


@INNER
def test_what_may_be_chosen(exits: Exits, inner: int) -> None:
    """Rows that the rules list, for the cgroups that they list"""
    for cgroup, name, error in (
        ("a", "exits/near", 0),
        ("a/within", "exits/far", 0),
        ("b", "exits/near", 0),
        ("b", "exits/far", errno.EPERM),
        ("b", "exits/none", errno.EPERM),
        ("a", "exits/none", errno.ENOENT),
        ("a", "other/far", errno.ENOENT),
        ("a", "units/far", errno.ENOENT),
    ):
        for kind in (STREAM, DATAGRAM):
            with exits.socket(cgroup, inner, kind) as chooser:
                exits.choose(chooser, "exits/near")
                if error:
                    with refused(error):
                        exits.choose(chooser, name)
                    assert exits.status(chooser).name == "exits/near", "a refusal changes nothing"
                else:
                    exits.choose(chooser, name)
                    assert exits.status(chooser).name == name


@pytest.mark.parametrize(
    "value",
    [
        *(b"exits", b"exits/near/x", b"exits/near\0\0", b"exits/near\0x", b"\0exits/near", b"/", b"//", b"exits/"),
        *(b"/near", b"exits/nea", b"exits/nearr", b"EXITS/NEAR", b" exits/near", b"exits/near\n", b"\xff/\xfe"),
        *(b"x" * length for length in (97, 98, 4095, 4096, 4097, 70000)),
        b"exits/" + b"n" * 92,
    ],
    ids=lambda value: f"{len(value)} bytes {value[:12]!r}",
)
def test_odd_values(exits: Exits, value: bytes) -> None:
    """Values that say nothing, too much or something else"""
    with exits.socket("a", 4) as chooser:
        exits.choose(chooser, "exits/near")
        with pytest.raises(OSError) as caught:
            chooser.setsockopt(level(exits.spec), CHOOSE, value)
        assert caught.value.errno in ((errno.EINVAL, errno.ENOENT) if NEWER else (errno.EPERM,))
        assert exits.status(chooser).name == "exits/near"


def test_short_values(exits: Exits) -> None:
    """What is left of a value that is shorter than the kernel's buffer does not count"""
    with exits.socket("a", 4) as chooser:
        for length in range(10):
            exits.choose(chooser, "exits/near")
            if length:
                with refused(errno.EINVAL if length < 6 else errno.ENOENT):
                    exits.choose(chooser, b"exits/near"[:length])
        exits.choose(chooser, b"exits/near\0")
        assert exits.status(chooser).name == "exits/near"
        chooser.setsockopt(level(exits.spec), CHOOSE, b"")
        assert exits.status(chooser).state == 0


def test_other_options(exits: Exits) -> None:
    """Options that the level does not have"""
    with exits.socket("a", 4) as chooser:
        for option in (0, STATUS, 3, 0x7FFFFFFF):
            with refused(errno.EINVAL):
                chooser.setsockopt(level(exits.spec), option, b"exits/near")
        if NEWER:
            for option in (0, CHOOSE, 3):
                with refused(errno.EINVAL):
                    chooser.getsockopt(level(exits.spec), option, 136)


def test_status_sizes(exits: Exits) -> None:
    """The status in buffers of every size"""
    with exits.socket("a", 4) as chooser:
        exits.choose(chooser, "exits/far")
        for size in (136, 137, 143):  # applications that were built for the first version ask for 136
            assert raw_status(chooser, STATUS, size, level(exits.spec)) == 136
        for size in (144, 145, 1000, 4095, 4096, 4097, 70000):
            assert raw_status(chooser, STATUS, size, level(exits.spec)) == 144
        for size in (0, 1, 4, 16, 135):
            with pytest.raises(OSError):
                raw_status(chooser, STATUS, size, level(exits.spec))


def test_others_are_left_alone(exits: Exits) -> None:
    """Other levels, other kinds of sockets and long values: as without the programs"""
    kinds = [(socket.AF_UNIX, STREAM), (socket.AF_UNIX, DATAGRAM), (socket.AF_NETLINK, RAW), (socket.AF_PACKET, RAW)]
    kinds += [(family, kind) for family in (socket.AF_INET, socket.AF_INET6) for kind in (STREAM, DATAGRAM)]
    for family, kind in kinds:
        said = []
        for cgroup in ("a", "elsewhere"):
            with exits.inside(cgroup):
                made = exits.topology.ours.socket(family, kind)
            with made:
                said.append([outcome for at in _levels(exits, family) for outcome in _outcomes(made, at)])
        assert said[0] == said[1], (family, kind)


def _levels(exits: Exits, family: int) -> list[int]:
    """Levels that are nobody's; ours too, for sockets that are no IP sockets."""
    unknown = [12345, level(exits.spec) + 1, level(exits.spec) - 1, -1]
    return unknown + ([] if family in (socket.AF_INET, socket.AF_INET6) else [level(exits.spec)])


def _outcomes(made: socket.socket, at: int) -> list[object]:
    found: list[object] = []
    for value in (b"", b"x", b"exits/near", b"x" * 5000):
        found.append(_errno(lambda value=value: made.setsockopt(at, CHOOSE, value)))
    for size in (0, 4, 136, 5000):
        found.append(_errno(lambda size=size: raw_status(made, STATUS, size, at)))
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    found.append(made.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF))
    found.append(_errno(lambda: raw_status(made, socket.SO_RCVBUF, 70000, socket.SOL_SOCKET)))
    found.append(_errno(lambda: made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"e" * 5000)))
    return found


def _errno(action: object) -> object:
    try:
        return action()  # type: ignore[operator]
    except OSError as error:
        return errno.errorcode[error.errno or 0]


@INNER
def test_not_managed(exits: Exits, inner: int) -> None:
    """Sockets that were made elsewhere, wherever they are used: not managed"""
    with exits.socket("elsewhere", inner) as outside:
        with exits.inside("a"), refused(errno.ENOPROTOOPT, always=True):
            exits.choose(outside, "exits/near")
        outside.connect((SERVICE[inner], PORT))
        assert ask(outside) == "router"
    with exits.socket("a", inner) as inside, exits.inside("elsewhere"):  # and the other way round
        exits.choose(inside, "exits/near")
        inside.connect((SERVICE[inner], PORT))
        assert ask(inside) == "near"


@INNER
def test_passed_on(exits: Exits, inner: int) -> None:
    """Sockets passed over a UNIX socket keep what they chose; socket activation: a listener made elsewhere"""
    left, right = socket.socketpair(socket.AF_UNIX, DATAGRAM)
    with left, right, exits.socket("a", inner, DATAGRAM) as chooser:
        exits.choose(chooser, "exits/near")
        left.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [chooser.fileno()]))])
        _, control, _, _ = right.recvmsg(1, socket.CMSG_LEN(4))
        passed = socket.socket(fileno=array.array("i", control[0][2])[0])
        with passed:
            passed.settimeout(ARRIVES)
            assert ask_datagram(passed, inner) == "near"
    with exits.socket("elsewhere", inner) as activated:
        activated.bind((APPLICATION[inner], 0))
        activated.listen()
        with exits.topology.router.socket(FAMILY[inner], STREAM) as peer, exits.inside("a"):
            peer.settimeout(ARRIVES)
            peer.connect(activated.getsockname()[:2])
            accepted, _ = activated.accept()
            with accepted, refused(errno.ENOPROTOOPT, always=True):
                exits.choose(accepted, "exits/far")


def test_another_namespace(exits: Exits) -> None:
    """A socket of another network namespace, in a managed cgroup: refused, where the kernel can tell (5.15)"""
    with Namespace("other") as other, exits.inside("a"), other.socket(socket.AF_INET, STREAM) as made:
        if kernel_version() < (5, 15):
            exits.choose(made, "exits/near")
        else:
            with refused(errno.ENOPROTOOPT, always=True):
                exits.choose(made, "exits/near")
    with exits.socket("a", 4) as made:
        exits.choose(made, "exits/near")


@INNER
def test_too_long(only_choosing: Exits, inner: int) -> None:
    """A live connection whose segments would not fit any more"""
    exits = only_choosing
    with exits.socket("a", inner) as client:
        client.connect((SERVICE[inner], PORT))
        assert ask(client) == "router"
        with refused(errno.EPERM, always=True):  # this spec is for 5.10: EMSGSIZE, if programs could say it
            exits.choose(client, "exits/near")
        assert ask(client) == "router"
        exits.choose(client, "")
    with exits.socket("a", inner) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1200)
        client.connect((SERVICE[inner], PORT))
        assert ask(client) == "router"
        exits.choose(client, "exits/near")
        assert exits.status(client).name == "exits/near"
    with exits.socket("a", inner) as client:
        exits.choose(client, "exits/far")
        client.connect((SERVICE[inner], PORT))
        exits.choose(client, "")
        exits.choose(client, "exits/far")
        assert ask(client) == "far"


@INNER
def test_a_row_that_goes(only_choosing: Exits, inner: int, tmp_path: Path) -> None:
    """A chosen row that is removed, and comes back: nothing leaves unencapsulated meanwhile"""
    exits = only_choosing
    rows = (exits.bundle / "exits.csv").read_text().splitlines()
    fewer = tmp_path / "exits.csv"
    fewer.write_text("\n".join(line for line in rows if not line.startswith("near")) + "\n")
    with exits.socket("a", inner, DATAGRAM) as client:
        exits.choose(client, "exits/near")
        assert ask_datagram(client, inner) == "near"
        exits.apply(exits.bundle, "--rows", f"exits={fewer}")
        status, unencapsulated = exits.status(client), exits.wire()["unencapsulated"]
        assert (status.state, status.overhead, status.name) == (2, 0, "exits/near")
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            ask_datagram(client, inner)
        assert exits.counters()["egress_miss_chosen"] == 1
        exits.apply(exits.bundle)
        client.settimeout(ARRIVES)
        assert ask_datagram(client, inner) == "near"
        assert exits.wire()["unencapsulated"] == unencapsulated
        assert exits.status(client).state == 1


@INNER
def test_another_version(only_choosing: Exits, folder: Path, inner: int) -> None:
    """Choices survive another version of the spec"""
    exits = only_choosing
    with exits.socket("a", inner, DATAGRAM) as client, exits.socket("a", inner) as connected:
        for chooser in (client, connected):
            exits.choose(chooser, "exits/near")
        connected.connect((SERVICE[inner], PORT))
        assert ask(connected) == "near"
        first = exits.bundle
        for version in (bundle(NEXT, folder), first):
            exits.apply(version)
            assert ask_datagram(client, inner) == "near"
            assert ask(connected) == "near"
            assert exits.status(client).name == "exits/near"


@contextmanager
def closed_here(exits: Exits, inner: int) -> Iterator[socket.socket]:
    """The peer's end of a connection whose socket here, in the cgroup `elsewhere`, is closed."""
    with exits.topology.far.socket(FAMILY[inner], STREAM) as service:
        service.settimeout(ARRIVES)
        service.bind((SERVICE[inner], PORT + 1))
        service.listen()
        client = exits.socket("elsewhere", inner)
        client.connect((SERVICE[inner], PORT + 1))
        peer, _ = service.accept()
        with peer:
            client.close()
            assert peer.recv(1) == b""
            yield peer


@INNER
def test_opened_only(only_choosing: Exits, folder: Path, inner: int) -> None:
    """Connections that peers open do not push out what is remembered of others"""
    exits = only_choosing
    exits.apply(bundle(NEXT, folder))
    with closed_here(exits, inner) as peer, exits.socket("elsewhere", inner) as listener, ExitStack() as opened:
        listener.bind((APPLICATION[inner], 0))
        listener.listen(128)
        for _ in range(64):  # the table has room for 16
            one = opened.enter_context(exits.topology.far.socket(FAMILY[inner], STREAM))
            one.settimeout(ARRIVES)
            one.bind((str(PLAN["far"].overlay[inner]), 0))
            one.connect(listener.getsockname()[:2])
        assert exits.counters()["flows_evicted"] > 32
        wire = exits.wire()
        peer.sendall(b"too late")
        until(lambda: exits.wire()["far"] > wire["far"], "an answer", ARRIVES)
        assert exits.wire()["unencapsulated"] == wire["unencapsulated"]


@INNER
def test_other_cgroups(only_choosing: Exits, folder: Path, inner: int) -> None:
    """A version that names other cgroups: what answers for a connection closed before is dropped"""
    exits = only_choosing
    exits.apply(bundle(NEXT, folder))
    for version in (None, AFTER):
        with closed_here(exits, inner) as peer:
            if version:
                exits.apply(bundle(version, folder))
            dropped, wire = exits.counters()["egress_renamed"], exits.wire()
            peer.sendall(b"too late")
            if version:
                until(lambda dropped=dropped: exits.counters()["egress_renamed"] > dropped, "a drop", ARRIVES)
            else:
                until(lambda wire=wire: exits.wire()["far"] > wire["far"], "an answer", ARRIVES)
            assert exits.wire()["unencapsulated"] == wire["unencapsulated"]


def _mptcp_here() -> bool:
    return Path("/proc/sys/net/mptcp/enabled").exists()


@pytest.fixture(params=[1, 2], ids=["backlog", "cookies"])
def cookies(exits: Exits, request: pytest.FixtureRequest) -> Iterator[None]:
    """net.ipv4.tcp_syncookies of the application's host: 2 answers every SYN with one."""
    exits.topology.ours.sysctl("net.ipv4.tcp_syncookies", request.param)
    yield
    exits.topology.ours.sysctl("net.ipv4.tcp_syncookies", 1)


@pytest.mark.usefixtures("cookies")
@INNER
def test_mptcp(exits: Exits, inner: int) -> None:
    """MPTCP: its socket chooses, its subflows follow; refused where programs cannot ask"""
    if not _mptcp_here():
        with pytest.raises(OSError):
            exits.topology.far.socket(FAMILY[inner], STREAM, MPTCP)
        return
    unencapsulated = exits.settled()["unencapsulated"]
    with exits.socket("a", inner, protocol=MPTCP) as client:
        if not NEWER:
            with refused(errno.EOPNOTSUPP):
                exits.choose(client, "exits/near")
            return
        exits.choose(client, "exits/near")
        client.connect((SERVICE[inner], PORT))
        assert ask(client) == "near"
        assert exits.status(client).packets > 0
    for protocol in (MPTCP, 0):  # a client with MPTCP, and one without
        with exits.socket("a", inner, protocol=MPTCP) as listener:
            exits.choose(listener, "exits/far")
            listener.bind((APPLICATION[inner], 0))
            listener.listen()
            with exits.topology.far.socket(FAMILY[inner], STREAM, protocol) as peer:
                peer.settimeout(ARRIVES)
                peer.bind((str(PLAN["far"].overlay[inner]), 0))
                peer.connect(listener.getsockname()[:2])
                accepted, _ = listener.accept()
                with accepted:
                    accepted.settimeout(ARRIVES)
                    data = os.urandom(256 << 10)
                    sender = threading.Thread(target=accepted.sendall, args=(data,))
                    sender.start()
                    received = b""
                    while len(received) < len(data):
                        received += peer.recv(1 << 18)
                    sender.join()
                    assert received == data
                    assert exits.status(accepted).overhead == 50
    assert exits.wire()["unencapsulated"] == unencapsulated


@pytest.mark.usefixtures("cookies")
@pytest.mark.parametrize("aborts", [False, True], ids=["FIN", "RST"])
@INNER
def test_mptcp_closed_at_once(exits: Exits, inner: int, aborts: bool) -> None:
    """Where MPTCP can choose: the first packet of what it accepted from a client without is its last"""
    if not (_mptcp_here() and NEWER):
        return  # nothing of the kind can choose: see the test of MPTCP
    unencapsulated = exits.settled()["unencapsulated"]
    with exits.socket("a", inner, protocol=MPTCP) as listener:
        exits.choose(listener, "exits/far")
        listener.bind((APPLICATION[inner], 0))
        listener.listen()
        with exits.topology.far.socket(FAMILY[inner], STREAM) as peer:
            peer.settimeout(ARRIVES)
            peer.bind((str(PLAN["far"].overlay[inner]), 0))
            peer.connect(listener.getsockname()[:2])
            accepted, _ = listener.accept()
            if aborts:
                accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            accepted.close()
            with refused(errno.ECONNRESET) if aborts else nullcontext():
                assert peer.recv(1) == b""
    assert exits.wire()["unencapsulated"] == unencapsulated

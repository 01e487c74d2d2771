"""What rules encapsulate does not leave by a device without our program, and everything else does."""

from __future__ import annotations

import errno
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from encap_compile.run.kernel.system import kernel_version
from tests.support import cli
from tests.support.cgroups import Tree
from tests.support.exits import APPLICATION, ARRIVES, FAMILY, PORT, SERVICE, WHO, Exits, ask, ask_datagram
from tests.support.links import mac_of
from tests.support.netns import CommandError, Namespace
from tests.support.polling import until
from tests.support.topology import PLAN, SECOND_UPLINK, Topology

from .bundles import EXITS, PASSING, bundle

pytestmark = pytest.mark.kernel
INNER = pytest.mark.parametrize("inner", [4, 6], ids=["ipv4 inside", "ipv6 inside"])
STREAM, DATAGRAM, RAW = socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW
NEVER = {4: "198.51.100.99", 6: "2001:db8:5::99"}
PLAIN = {4: "198.51.100.98", 6: "2001:db8:5::98"}
DROPPED = {4: "198.51.100.97", 6: "2001:db8:5::97"}
OTHER = 8000


class Ways:
    """The network, and its host's default routes by the attached `eth0` or by `eth1`, which is not."""

    def __init__(self, topology: Topology, exits: Exits) -> None:
        self.topology, self.exits = topology, exits
        rules = "\n".join(
            (
                f"ip saddr {{ {PLAN['ours'].prefix[4]}, 198.51.100.0/24 }} counter name second",
                f"ip6 saddr {{ {PLAN['ours'].prefix[6]}, 2001:db8:5::/64 }} counter name second",
            )
        )
        chain = f"type filter hook ingress device to-ours1 priority 0;\n{rules}"
        self.topology.router.run(["nft", f"table netdev other {{\ncounter second {{}}\nchain in {{\n{chain}\n}}\n}}"])

    def by(self, device: str) -> None:
        for version in (4, 6):
            plan = PLAN["ours"] if device == "eth0" else SECOND_UPLINK
            self.topology.ours.ip(
                f"route replace default via {plan.gateway[version]} dev {device} src {APPLICATION[version]}"
            )

    def second(self) -> int:
        """Packets of the application that came by `eth1`, encapsulated or not."""
        said = self.topology.router.run(["nft", "-j", "list", "counters", "table", "netdev", "other"]).stdout
        return next(int(e["counter"]["packets"]) for e in json.loads(said)["nftables"] if "counter" in e)

    @contextmanager
    def nothing_leaves(self) -> Iterator[None]:
        """Within the block nothing leaves by `eth1`, or unencapsulated; what does not, is counted."""
        before = self.second(), self.exits.settled()["unencapsulated"]
        dropped = self.exits.counters()["egress_unattached"]
        yield
        assert (self.second(), self.exits.wire()["unencapsulated"]) == before
        assert self.exits.counters()["egress_unattached"] > dropped


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("unattached")


@pytest.fixture(scope="module")
def network(folder: Path) -> Iterator[Ways]:
    with Tree() as tree, Topology(offloads="off", uplinks=2) as topology:
        exits = Exits(topology, tree)
        exits.apply(bundle(EXITS["unattached"], folder))
        for role in ("router", "far"):
            for version in (4, 6):
                for address in (NEVER, PLAIN, DROPPED):
                    topology.namespaces[role].ip(f"addr add {address[version]} dev lo nodad")
        yield Ways(topology, exits)
        exits.close()


@pytest.fixture
def ways(network: Ways) -> Iterator[Ways]:
    """The network with its default routes by `eth1`."""
    network.by("eth1")
    yield network
    network.by("eth0")


def by_choice(exits: Exits, version: int, kind: int) -> socket.socket:
    made = exits.socket("a", version, kind)
    exits.choose(made, "exits/near")
    return made


def by_rule(exits: Exits, version: int, kind: int) -> socket.socket:
    return exits.socket("c", version, kind)


def by_cgroup(exits: Exits, version: int, kind: int) -> socket.socket:
    return exits.socket("b", version, kind)


def by_row(exits: Exits, version: int, kind: int) -> socket.socket:
    return exits.socket("units/one/inner", version, kind)


Maker = Callable[[Exits, int, int], socket.socket]
WHOSE = pytest.mark.parametrize("make", [by_choice, by_rule, by_cgroup, by_row])


@INNER
@WHOSE
def test_datagrams(ways: Ways, make: Maker, inner: int) -> None:
    """UDP: EPERM, and nothing on the wire; by the attached device it is encapsulated"""
    for connected in (True, False) if make is not by_rule else (True,):
        with make(ways.exits, inner, DATAGRAM) as client:
            to = (SERVICE[inner], PORT)
            if connected:
                client.connect(to)
            with ways.nothing_leaves(), pytest.raises(PermissionError):
                client.send(WHO) if connected else client.sendto(WHO, to)
            ways.by("eth0")
            client.send(WHO) if connected else client.sendto(WHO, to)
            assert client.recv(64).decode() in ("near", "far")
            ways.by("eth1")


@WHOSE
def test_mapped(ways: Ways, make: Maker) -> None:
    """An IPv6 socket that sends to IPv4"""
    with make(ways.exits, 6, DATAGRAM) as client:
        client.connect((f"::ffff:{SERVICE[4]}", PORT))
        with ways.nothing_leaves(), pytest.raises(PermissionError):
            client.send(WHO)


@INNER
@WHOSE
def test_opening(ways: Ways, make: Maker, inner: int) -> None:
    """TCP: no SYN leaves"""
    with make(ways.exits, inner, STREAM) as client:
        client.settimeout(1.5)
        with ways.nothing_leaves(), pytest.raises(TimeoutError):
            client.connect((SERVICE[inner], PORT))


@INNER
@WHOSE
def test_flipping(ways: Ways, make: Maker, inner: int) -> None:
    """TCP under traffic: the default route moves to a device that is not attached, and back"""
    exits = ways.exits
    ways.by("eth0")
    with make(exits, inner, STREAM) as client:
        client.connect((SERVICE[inner], PORT))
        assert ask(client) in ("near", "far")
        with ways.nothing_leaves():
            stop, sending, sent = threading.Event(), threading.Event(), Counter[str]()
            sending.set()

            def send() -> None:
                while sending.is_set():
                    with suppress(TimeoutError):
                        client.sendall(bytes(1000))
                        sent["rounds"] += 1
                    time.sleep(0.01)

            def receive() -> None:
                while not stop.is_set():
                    with suppress(TimeoutError):
                        sent["bytes"] += len(client.recv(1 << 16))

            threads = [threading.Thread(target=work) for work in (send, receive)]
            for thread in threads:
                thread.start()
            time.sleep(0.2)
            ways.by("eth1")
            time.sleep(1)
            ways.by("eth0")
            sending.clear()
            threads[0].join()
            until(lambda: sent["bytes"] == 1000 * sent["rounds"], "all that comes back", ARRIVES)
            stop.set()
            client.sendall(b"a last one")  # wakes who receives
            threads[1].join()
        assert sent["rounds"] > 10


@INNER
def test_listening(ways: Ways, inner: int) -> None:
    """A listener that has chosen: no SYN-ACK leaves (over IPv6, from Linux 6.6 on: see docs/sockets.md)"""
    if inner == 6 and kernel_version() < (6, 6):
        return
    exits = ways.exits
    with exits.socket("a", inner) as listener:
        exits.choose(listener, "exits/far")
        listener.bind((APPLICATION[inner], 0))
        listener.listen()
        with ways.nothing_leaves(), exits.topology.far.socket(FAMILY[inner], STREAM) as peer:
            peer.settimeout(1)
            peer.bind((str(PLAN["far"].overlay[inner]), 0))
            with pytest.raises(TimeoutError):
                peer.connect(listener.getsockname()[:2])


@INNER
def test_row_that_is_gone(ways: Ways, folder: Path, inner: int) -> None:
    """A choice whose row is gone: with `on_miss: drop` it does not leave either, with `next` the next rule decides"""
    exits = ways.exits
    only_far = folder / "only-far.csv"
    only_far.write_text("".join((exits.bundle / "exits.csv").read_text().splitlines(keepends=True)[:2]))
    with by_choice(exits, inner, DATAGRAM) as client:
        client.connect((SERVICE[inner], PORT))
        exits.apply(exits.bundle, "--rows", f"exits={only_far}")
        try:
            with ways.nothing_leaves(), pytest.raises(PermissionError):
                client.send(WHO)
        finally:
            exits.apply(exits.bundle)


@INNER
def test_what_is_not_encapsulated(ways: Ways, inner: int) -> None:
    """What no rule encapsulates leaves: not chosen, of no cgroup, or an earlier rule passes or drops it"""
    exits = ways.exits
    dropped = exits.counters()["egress_unattached"]
    for cgroup in ("a", "elsewhere"):
        with exits.socket(cgroup, inner, DATAGRAM) as client:
            assert ask_datagram(client, inner) == "router"
    with exits.socket("c", inner, DATAGRAM) as client:  # no connect rule chooses for this port
        client.connect((SERVICE[inner], OTHER))
        second = ways.second()
        client.send(WHO)
        assert ways.second() == second + 1
    for address in (NEVER, DROPPED):  # that rule is for packets that come to our programs
        with by_choice(exits, inner, DATAGRAM) if address is NEVER else exits.socket("a", inner, DATAGRAM) as client:
            second = ways.second()
            client.sendto(WHO, (address[inner], OTHER))
            assert ways.second() == second + 1
    assert exits.counters()["egress_unattached"] == dropped


@INNER
def test_by_destination(ways: Ways, inner: int) -> None:
    """A rule that asks neither for socket nor cgroup holds for the sockets of the cgroups too"""
    exits = ways.exits
    with exits.socket("a", inner, DATAGRAM) as client, ways.nothing_leaves(), pytest.raises(PermissionError):
        client.sendto(WHO, (PLAIN[inner], OTHER))
    second = ways.second()
    with exits.socket("elsewhere", inner, DATAGRAM) as client:
        client.sendto(WHO, (PLAIN[inner], OTHER))
    assert ways.second() == second + 1


@INNER
@WHOSE
def test_loopback(ways: Ways, make: Maker, inner: int) -> None:
    """The loopback device: as without the program"""
    exits = ways.exits
    for address in ({4: "127.0.0.1", 6: "::1"}[inner], APPLICATION[inner]):
        with make(exits, inner, DATAGRAM) as one, make(exits, inner, DATAGRAM) as other:
            one.bind((address, 0))
            other.connect(one.getsockname()[:2])
            other.send(b"here")
            assert one.recv(64) == b"here"
        with make(exits, inner, STREAM) as listener, make(exits, inner, STREAM) as client:
            listener.bind((address, 0))
            listener.listen()
            client.connect(listener.getsockname()[:2])
            accepted, _ = listener.accept()
            with accepted:
                accepted.sendall(b"there")
                assert client.recv(64) == b"there"


@INNER
def test_other_namespaces(ways: Ways, inner: int) -> None:
    """Sockets of other network namespaces in the same cgroups (from Linux 5.14 on: see docs/sockets.md)"""
    if kernel_version() < (5, 14):  # but for the machine's first, namespaces cannot be told apart: plan warns of it
        assert "H150" in ways.exits.plan_text()
        return
    exits = ways.exits
    dropped = exits.counters()["egress_unattached"]
    with exits.topology.ours.entered():
        attached = socket.if_nametoindex("eth0")
    with exits.topology.router.entered():
        assert socket.if_nametoindex("wan") != attached, "by which the packets leave"
    for cgroup in ("b", "units/one", "c"):
        with exits.inside(cgroup):
            made = exits.topology.router.socket(FAMILY[inner], DATAGRAM)
            server = exits.topology.far.socket(FAMILY[inner], DATAGRAM)
        with made, server:
            server.settimeout(ARRIVES)
            server.bind((str(PLAN["far"].underlay[inner]), PORT + 1 if cgroup == "c" else 0))
            made.connect(server.getsockname()[:2])  # in `c` a rule chooses for sockets that connect there
            made.send(b"from a pod")
            assert server.recv(64) == b"from a pod"
    assert exits.counters()["egress_unattached"] == dropped


@INNER
def test_written_to_pass(ways: Ways, folder: Path, inner: int) -> None:
    """`unattached: pass`: it leaves unencapsulated"""
    exits, first = ways.exits, ways.exits.bundle
    exits.apply(bundle(PASSING, folder))
    try:
        with by_choice(exits, inner, DATAGRAM) as client:
            assert ask_datagram(client, inner) == "router"
            exits.apply(first)
            with ways.nothing_leaves(), pytest.raises(PermissionError):
                client.sendto(WHO, (SERVICE[inner], PORT))
    finally:
        exits.apply(first)


def test_devices_come_and_go(ways: Ways) -> None:
    """A device is attached and given up under traffic: what leaves by it is encapsulated, or nothing leaves"""
    exits = ways.exits
    stop, said = threading.Event(), Counter[str]()

    def send() -> None:
        with by_cgroup(exits, 4, DATAGRAM) as client:
            client.connect((SERVICE[4], PORT))
            while not stop.is_set():
                try:
                    client.send(WHO)
                    said["sent"] += 1
                except OSError as error:
                    said[errno.errorcode[error.errno or 0]] += 1
                time.sleep(0.0005)

    second = ways.second()
    sender = threading.Thread(target=send)
    sender.start()
    try:
        for _ in range(2):
            before = said["sent"]
            both = {"uplink": "eth0,eth1", "address": str(PLAN["ours"].underlay[4]), "tree": exits.tree.path}
            cli.apply(exits.topology.ours, exits.bundle, **both)
            until(lambda before=before: said["sent"] > before + 20, "packets by the second device", ARRIVES)
            exits.apply(exits.bundle)
            before = said["EPERM"]
            until(lambda before=before: said["EPERM"] > before + 20, "packets are dropped", ARRIVES)
    finally:
        stop.set()
        sender.join()
        exits.apply(exits.bundle)
    assert said.keys() == {"sent", "EPERM"}
    assert ways.second() == second, "the application's addresses were seen on the second device"


def test_plan_says_what_is_not_seen(ways: Ways) -> None:
    """`plan` says that rules do not see sockets of other namespaces, and names processes that have them"""
    exits = ways.exits
    said = exits.plan_text()
    assert "do not see those of containers" in said
    assert "in another namespace" not in said
    with exits.topology.far.popen(["sleep", "60"]) as process:
        exits.tree.join("b", process.pid)
        try:
            said = exits.plan_text()
        finally:
            process.kill()
    assert f"1 process is in these cgroups and in another namespace: sleep {process.pid}\n" in said


def test_above_what_is_attached(ways: Ways, folder: Path) -> None:
    """A device above the attached one, as a VLAN: its packets go through the program there"""
    exits, ours = ways.exits, ways.topology.ours
    gateway, mac = PLAN["ours"].gateway[4], ways.topology.mac("router", "lan")
    for kind in ("vlan id 5", "macvlan mode private"):  # every kernel here has one of them
        with suppress(CommandError):
            ours.ip(f"link add link eth0 name above type {kind}")
            break
    try:
        ours.ip(
            "link set above up",
            f"neigh replace {gateway} lladdr {mac} dev above nud permanent",
            f"route replace default via {gateway} dev above src {APPLICATION[4]} onlink",
        )
        with by_cgroup(exits, 4, DATAGRAM) as client:
            with pytest.raises(PermissionError):  # it is not known yet
                client.sendto(WHO, (SERVICE[4], PORT))
            exits.apply(exits.bundle)
            before = exits.counters()
            client.sendto(WHO, (SERVICE[4], PORT))
            after = exits.counters()
        assert after["egress_rule_standard"] == before["egress_rule_standard"] + 1
        assert after["egress_unattached"] == before["egress_unattached"]
    finally:
        ours.ip("link del above")
        exits.apply(exits.bundle)


def test_siblings_above_what_is_attached(ways: Ways) -> None:
    """A macvlan in bridge mode: its packets go to others above the same device, past the program there"""
    exits, ours = ways.exits, ways.topology.ours
    with Namespace("sibling") as sibling:
        # Its name must be free here, too: older kernels make it here and move it.
        ours.ip(
            "link add link eth0 name above type macvlan mode bridge",
            f"link add link eth0 name beside netns {sibling.name} type macvlan mode bridge",
            "link set above up",
        )
        try:
            sibling.ip(f"addr add {SERVICE[4]}/32 dev beside", "link set beside up")
            ours.ip(
                f"neigh replace {SERVICE[4]} lladdr {mac_of(sibling, 'beside')} dev above nud permanent",
                f"route replace {SERVICE[4]} dev above src {APPLICATION[4]}",
            )
            exits.apply(exits.bundle)
            with by_cgroup(exits, 4, DATAGRAM) as client, pytest.raises(PermissionError):
                client.sendto(WHO, (SERVICE[4], PORT))
        finally:
            ours.ip("link del above")
            exits.apply(exits.bundle)


def test_above_a_device_of_another_namespace(ways: Ways) -> None:
    """The device below has the number of the attached one, in its own namespace"""
    exits, ours = ways.exits, ways.topology.ours
    with ours.entered():
        number = socket.if_nametoindex("eth0")
    with Namespace("below") as below:
        below.ip(f"link add name under index {number} type veth peer name peer index 99")
        below.ip(f"link add link under name above netns {ours.name} type macvlan mode private")
        try:
            ours.ip(
                "link set above up",
                f"neigh replace {SERVICE[4]} lladdr 02:00:00:00:00:09 dev above nud permanent",
                f"route replace {SERVICE[4]} dev above src {APPLICATION[4]}",
            )
            exits.apply(exits.bundle)
            with by_cgroup(exits, 4, DATAGRAM) as client, pytest.raises(PermissionError):
                client.sendto(WHO, (SERVICE[4], PORT))
        finally:
            ours.ip("link del above")
            exits.apply(exits.bundle)

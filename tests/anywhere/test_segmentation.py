"""GSO packets of every kind, in every encapsulation, over devices with every offload on and off: each datagram arrives,
or is counted by name, and nothing is counted as encapsulated that was not sent.

The peer's program decapsulates single packets: the router before it cuts what reaches it whole.
"""

from __future__ import annotations

import errno
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from encap_compile.compile.headers.gso import Gso, Pushed
from encap_compile.compile.headers.segmented import Brought, Fate, fate
from encap_compile.run.kernel.system import kernel_version
from tests.support import cli, ethtool
from tests.support.links import veth
from tests.support.lone_segments import write_arrives
from tests.support.netns import Namespace
from tests.support.topology import PLAN, Topology
from tests.support.traffic import Host

from .bundles import SEGMENTATION, bundle

pytestmark = pytest.mark.kernel

UDP_SEGMENT = 103
COUNT, SIZE = 35, 1000
SENT_OR_LOST = ("egress_rule_sites", *(f for f in Fate if f.startswith("egress_") and f is not Fate.PER_SEGMENT))
ENCAPSULATIONS = ("vxlan", "geneve", "gue", "gre", "ipip")  # in the order of the rows' addresses
CHECKSUM, GENERIC, GATHER = "tx-checksum-ip-generic", "tx-generic-segmentation", "tx-scatter-gather"
OF_TCP, OF_UDP = "tx-tcp", "tx-udp-segmentation"
# What is off on the uplink; all else that makes or cuts GSO packets is on.
OFF: dict[str, tuple[str, ...]] = {
    "everything on": (),
    "tso off": (OF_TCP,),
    "tx-udp-segmentation off": (OF_UDP,),
    "no segmentation by the device": ("tx-",),
    "gso off": (GENERIC, "tx-"),
    "tx off": (CHECKSUM,),
    "tx off, no segmentation by the device": (CHECKSUM, "tx-"),
    "tx, sg and gso off": (CHECKSUM, GATHER, GENERIC, "tx-"),
}


class Network:
    """`ours` encapsulates, the router forwards, `far` decapsulates; answers come back unencapsulated."""

    def __init__(self, topology: Topology, made: Path) -> None:
        self.topology, self.made = topology, made
        topology.overlay_on_loopback("ours")
        for outer in (4, 6):
            for number in range(1, len(ENCAPSULATIONS) + 1):
                topology.far.ip(
                    f"addr add 10.1.{number}.{outer}/32 dev lo",
                    f"addr add fd00:10:1::{number}:{outer}/128 dev lo nodad",
                )
        for version in (4, 6):
            topology.router.ip(f"route add {PLAN['ours'].prefix[version]} via {PLAN['ours'].underlay[version]}")
        topology.route_overlay("ours", "far", direct=False, mtu=1400)
        single = [end for end in topology.ends if end.device == "wan" or end.namespace is topology.far]
        for end in single:
            turn_off(end.namespace, end.device, ("tx-", GENERIC, "rx-gro"))
        cli.apply(topology.far, made, uplink="eth0")

    def counted(self, role: str) -> Counter[str]:
        return Counter({c["name"]: c["packets"] for c in cli.stats(self.topology.namespaces[role], self.made)})

    def peer(self, encapsulation: str, outer: int, inner: int) -> Host:
        number = ENCAPSULATIONS.index(encapsulation) + 1
        return Host(self.topology.far, f"10.1.{number}.{outer}" if inner == 4 else f"fd00:10:1::{number}:{outer}")


def turn_off(namespace: Namespace, device: str, off: tuple[str, ...]) -> None:
    """Turn these features off, and on what else makes or cuts GSO packets. `tx-` and `tx-tcp` are groups."""
    names = ethtool.feature_names(namespace, device)
    segmenting = [n for n in names if n.startswith("tx-") and n.endswith("-segmentation") and n != GENERIC]
    wanted = dict.fromkeys([*segmenting, CHECKSUM, GATHER, GENERIC], True)
    for word in off:
        group = segmenting if word == "tx-" else [n for n in segmenting if n.startswith(OF_TCP)]
        wanted |= dict.fromkeys(group if word in ("tx-", OF_TCP) else [word], False)
    ethtool.set_features(namespace, device, names, {n: on for n, on in wanted.items() if n in names})


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    with Topology() as topology:
        yield Network(topology, bundle(SEGMENTATION, tmp_path_factory.mktemp("segmentation")))


def send_segments(source: Host, destination: Host, patience: float = 3) -> tuple[int, str]:
    """How many datagrams of one call arrive, and the error that the sender got."""
    with (
        destination.namespace.socket(destination.family, socket.SOCK_DGRAM) as receiver,
        source.namespace.socket(source.family, socket.SOCK_DGRAM) as sender,
    ):
        receiver.bind((destination.address, 7310))
        receiver.settimeout(patience)
        sender.bind((source.address, 0))
        sender.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, SIZE)
        refused = ""
        try:
            sender.sendto(bytes(COUNT * SIZE), (destination.address, 7310))
        except OSError as error:
            refused = errno.errorcode[error.errno or 0]
        got = 0
        try:
            while got < COUNT:
                got += len(receiver.recv(65536)) == SIZE
        except TimeoutError:
            pass
        return got, refused


@pytest.mark.parametrize("off", OFF)
def test_every_kind_of_gso_packet(network: Network, off: str) -> None:
    """Each datagram arrives or is counted by name, TCP always arrives"""
    topology = network.topology
    turn_off(topology.ours, "eth0", OFF[off])
    done = cli.encapctl(topology.ours, "apply", network.made, "--set", "uplink=eth0")
    said = done.stdout + done.stderr
    checksums = CHECKSUM not in OFF[off]
    assert ("H171" in said) == (not checksums and kernel_version() >= (6, 11))
    before, wanted = network.counted("ours"), Counter[str]()
    for encapsulation in ENCAPSULATIONS:
        for outer in (4, 6):
            for inner in (4, 6):
                ours, far = topology.host("ours", inner), network.peer(encapsulation, outer, inner)
                what = f"{encapsulation} over IPv{outer}, IPv{inner} inside, {off}"
                brought = Brought(Gso.UDP, inner, checksums=checksums)
                expected = fate(Pushed(()), "", brought, kernel_version())
                arrives = expected is Fate.SEGMENTED
                got, refused = send_segments(ours, far, patience=3 if arrives else 0.1)
                assert got == (COUNT if arrives else 0), what
                assert refused == ("EIO" if expected is Fate.REFUSED else ""), what
                wanted["egress_rule_sites" if arrives else expected.value] += COUNT
    moved = network.counted("ours") - before
    del wanted[Fate.REFUSED.value]
    assert {name: moved[name] for name in SENT_OR_LOST} == {name: wanted[name] for name in SENT_OR_LOST}
    for encapsulation in ENCAPSULATIONS:
        for outer in (4, 6):
            for inner in (4, 6):
                ours, far = topology.host("ours", inner), network.peer(encapsulation, outer, inner)
                what = f"TCP by {encapsulation} over IPv{outer}, IPv{inner} inside, {off}"
                assert write_arrives(ours, far, 120_000, port=7311), what


@pytest.mark.parametrize("off", ["everything on", "tx off"])
def test_forwarded_datagrams(network: Network, off: str) -> None:
    """What a host behind ours sends arrives, whatever the uplink's checksum offload"""
    topology = network.topology
    turn_off(topology.ours, "eth0", OFF[off])
    cli.apply(topology.ours, network.made, uplink="eth0")
    with Namespace("behind") as behind, ExitStack() as undo:
        veth(topology.ours, "behind0", behind, "eth0")
        undo.callback(topology.ours.ip, "link del behind0")
        topology.ours.sysctl("net.ipv4.conf.all.forwarding", 1)
        topology.ours.sysctl("net.ipv6.conf.all.forwarding", 1)
        topology.ours.ip("addr add 10.200.9.1/24 dev behind0", "addr add fd00:10:200:9::1/64 dev behind0 nodad")
        behind.ip("addr add 10.200.9.2/24 dev eth0", "addr add fd00:10:200:9::2/64 dev eth0 nodad")
        behind.ip("route add default via 10.200.9.1 mtu 1400", "route add default via fd00:10:200:9::1 mtu 1400")
        for encapsulation in ENCAPSULATIONS:
            for outer in (4, 6):
                for inner, address in ((4, "10.200.9.2"), (6, "fd00:10:200:9::2")):
                    far = network.peer(encapsulation, outer, inner)
                    what = f"{encapsulation} over IPv{outer}, IPv{inner} inside, {off}"
                    assert send_segments(Host(behind, address), far) == (COUNT, ""), what

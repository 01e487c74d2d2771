"""The ways of sending that are compared. Each gets a network of its own: two namespaces and a veth between them.

The far end drops everything in its TC ingress hook, as early as the kernel allows, so that every way pays the same for
being received.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.support import cli
from tests.support.cgroups import Tree
from tests.support.exits import level
from tests.support.links import mac_of, neighbour, veth
from tests.support.netns import Namespace
from tests.support.overlay import EXAMPLE, NEXT_HOP_ROUTE, ROWS

from .tools import MAKE_ROOM, build_program

OURS, GATEWAY, VTEP = "192.0.2.30", "192.0.2.17", "192.0.2.20"
OURS_IPV6 = "2001:db8:1::10"  # sends nothing, but the example has rows over IPv6
ROUTE_DEVICE = ("attach: {devices: [host.uplink]}", "attach: {devices: [host.uplink], route_device: {name: encap0}}")
INNER_SOURCE, INNER = "10.200.0.1", "10.2.0.1"
VTEP_MAC = "02:00:00:00:10:02"
VNI = 42


@dataclass(frozen=True)
class Way:
    """One way to get a packet to the peer. `prepare` sets it up in the sending namespace."""

    name: str
    text: str
    prepare: Callable[[Namespace, Path], None]
    choice: str = ""  # what the sending socket chooses


class Network:
    """A sender and a peer that drops."""

    def __init__(self, way: Way, dropper: Path, scratch: Path) -> None:
        self.way = way
        self.sender, self._peer = Namespace("sender"), Namespace("dropping")
        veth(self.sender, "eth0", self._peer, "eth0")
        self.sender.ip(f"addr add {OURS}/28 dev eth0", f"addr add {INNER_SOURCE} dev lo")
        for address in (GATEWAY, VTEP):
            neighbour(self.sender, "eth0", address, mac_of(self._peer, "eth0"))
        self._peer.tc("qdisc add dev eth0 clsact", f"filter add dev eth0 ingress bpf da obj {dropper} sec classifier")
        way.prepare(self.sender, scratch)

    def command(self, sender: Path, *words: str) -> list[str]:
        """The sending program in the namespace's cgroup, if it has one, and what its socket chooses."""
        chosen = [str(level("chooser")), self.way.choice] if self.way.choice else []
        if self.way.prepare is not _by_socket:
            return [str(sender), *words]
        return ["sh", "-c", 'echo $$ >"$0"/cgroup.procs; exec "$@"', str(_tree().folder), str(sender), *words, *chosen]

    def received(self) -> int:
        return self._peer.counter("eth0", "rx_packets")


def _inner_route(sender: Namespace, words: str) -> None:
    sender.ip(f"route add 10.2.0.0/16 {words} src {INNER_SOURCE}")


def _plain(sender: Namespace, scratch: Path) -> None:
    _inner_route(sender, f"via {VTEP} dev eth0")


def _vxlan_device(sender: Namespace, scratch: Path) -> None:
    sender.ip(
        f"link add vx0 type vxlan id {VNI} dstport 4789 local {OURS} dev eth0 nolearning noudpcsum",
        "link set vx0 up",
    )
    sender.run(["bridge", "fdb", "add", VTEP_MAC, "dev", "vx0", "dst", VTEP, "self", "permanent"])
    _inner_route(sender, "dev vx0")
    neighbour(sender, "vx0", INNER, VTEP_MAC)


def _lightweight_tunnel(sender: Namespace, scratch: Path) -> None:
    sender.ip(
        "link add vx0 type vxlan external dstport 4789 dev eth0 nolearning noudpcsum",
        "link set vx0 up",
        f"route add 10.2.0.0/16 encap ip id {VNI} src {OURS} dst {VTEP} dev vx0 src {INNER_SOURCE}",
    )
    neighbour(sender, "vx0", INNER, VTEP_MAC)


def _make_room(sender: Namespace, scratch: Path) -> None:
    _inner_route(sender, f"via {VTEP} dev eth0")
    program = build_program(scratch, "make_room", MAKE_ROOM)
    sender.tc("qdisc add dev eth0 clsact", f"filter add dev eth0 egress bpf da obj {program} sec classifier")


def _program(*edits: tuple[str, str]) -> Callable[[Namespace, Path], None]:
    def prepare(sender: Namespace, scratch: Path) -> None:
        _inner_route(sender, f"via {VTEP} dev eth0")
        text = EXAMPLE.read_text()
        for old, new in edits:
            if old not in text:
                raise ValueError(f"{EXAMPLE.name} has no {old!r}")
            text = text.replace(old, new)
        folder = scratch / sender.name
        folder.mkdir()
        (folder / ROWS.name).write_bytes(ROWS.read_bytes())
        (folder / EXAMPLE.name).write_text(text)
        bundle, _ = cli.compile_spec(folder / EXAMPLE.name, folder / "build")
        cli.apply(sender, bundle, uplink="eth0", vtep=f"{OURS},{OURS_IPV6}", vtep_mac="02:00:00:00:20:01")

    return prepare


@cache
def _tree() -> Tree:
    """The cgroup of the senders; `close` deletes it."""
    return Tree()


def close() -> None:
    if _tree.cache_info().currsize:
        _tree().__exit__(None, None, None)


CHOOSER = f"""\
apiVersion: encap/v1alpha1
name: chooser
kernel: "5.10"
host: {{uplink: device, address: ipv4, tree: cgroup}}
attach: {{devices: [host.uplink], cgroup: host.tree}}
encapsulations:
  vxlan:
    - ipv4: {{source: host.address, destination: endpoint.address}}
    - udp: {{source_port: flow, checksum: zero}}
    - vxlan: {{vni: {VNI}}}
    - ethernet: {{source: host.uplink.mac, destination: endpoint.mac}}
endpoints:
  exits:
    fields: {{address: ipv4, mac: mac}}
    encapsulation: vxlan
    rows: [{{name: ams, address: {VTEP}, mac: "{VTEP_MAC}"}}]
egress:
  rules:
    - {{name: chosen, socket: [exits], on_miss: next}}
    - {{name: by-rule, to: exits/ams}}
  default: pass
"""


def _by_socket(sender: Namespace, scratch: Path) -> None:
    """The same program for both: what the socket chose, or the rule behind."""
    _inner_route(sender, f"via {VTEP} dev eth0")
    folder = scratch / sender.name
    folder.mkdir()
    (folder / "chooser.yaml").write_text(CHOOSER)
    bundle, _ = cli.compile_spec(folder / "chooser.yaml", folder / "build")
    cli.apply(sender, bundle, uplink="eth0", address=OURS, tree=_tree().path)


# The example's row for 10.2.0.0/16, compiled in instead of in a map.
CONSTANT_ROW = f"{{name: ams, destination: 10.2.0.0/16, address: {VTEP}, mac: '{VTEP_MAC}', vni: {VNI}}}"
CONSTANTS = (
    "    file: vxlan-overlay-sites.csv\n    capacity: 100000\n",
    f"    fixed: true\n    rows: [{CONSTANT_ROW}]\n",
)

WAYS = (
    Way("plain", "plain send, not encapsulated", _plain),
    Way("vxlan-device", "vxlan device", _vxlan_device),
    Way("lightweight-tunnel", "route encap, external vxlan", _lightweight_tunnel),
    Way("make-room", "bpf_skb_adjust_room alone", _make_room),
    Way("program-keep", "program, keep", _program()),
    Way("program-route", "program, route", _program(NEXT_HOP_ROUTE)),
    Way("program-device", "program on a route device", _program(ROUTE_DEVICE)),
    Way("program-constants", "program, keep, fixed row", _program(CONSTANTS)),
    Way("program-rule", "program, keep, row named by a rule", _by_socket),
    Way("program-socket", "program, keep, row chosen by the socket", _by_socket, choice="exits/ams"),
)

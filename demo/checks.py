"""What the demo checks, each as one verdict line."""

from __future__ import annotations

import socket
from pathlib import Path

from tests.support import cli, kernel_vxlan
from tests.support.traffic import Bulk, Echoed, bulk_tcp, ping, udp_echo
from tests.support.wire import Capture, Frame, carries

from .screen import Screen
from .stage import VNI, Stage

MESSAGE = b"hello from a plain socket"
PORT = 9001
WEB_PORT = 8080  # of the example's rule `web`
BULK = 4 << 20
NO_ROW = "10.99.0.1"  # the rule `sites` covers it, the table does not


def say_hello(stage: Stage) -> Frame:
    """Send one datagram from ours to far and return the frame that the router received."""
    topology = stage.topology
    ours, far = topology.host("ours", 4), topology.host("far", 4)
    with (
        Capture(topology.router, "to-ours") as wire,
        ours.namespace.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        sender.bind((ours.address, PORT))
        sender.sendto(MESSAGE, (far.address, PORT))
        return wire.first(lambda frame: not frame.outgoing and MESSAGE in frame.data, "the datagram at the router")


def without_identity(packet: bytes) -> bytes:
    """An IPv4 packet without what differs between two sends of the same datagram: its number, and the sum over it."""
    return packet[:4] + packet[6:10] + packet[12:]


def traffic(screen: Screen, stage: Stage) -> None:
    """Ping, UDP and bulk TCP on every path, from both ends."""
    for name, ours, theirs in stage.paths():
        with screen.busy(name):
            pings = _sum(ping(ours, theirs), ping(theirs, ours))
            echoes = _sum(udp_echo(ours, theirs), udp_echo(theirs, ours))
            bulk = bulk_tcp(ours, theirs, BULK, port=WEB_PORT)
        words = f"ping {pings.good}/{pings.sent}  udp {echoes.good}/{echoes.sent}  tcp {_tcp_in_words(bulk)}"
        screen.check(all((pings, echoes, bulk)), name, words, width=20)


def _sum(*results: Echoed) -> Echoed:
    return Echoed(sum(result.sent for result in results), sum(result.good for result in results))


def _tcp_in_words(bulk: Bulk) -> str:
    if not bulk:
        return bulk.problem or "arrived, but the hashes differ"
    return f"2 x {bulk.size >> 20} MiB sha256 {bulk.there[1][:6]} {bulk.back[1][:6]}"


def missing_row(screen: Screen, stage: Stage, bundle: Path) -> None:
    """A rule chose the packet and its table has no row: it must not leave unencapsulated."""
    topology = stage.topology
    before = counted(stage, bundle, "dropped")
    with Capture(topology.router, "to-ours") as wire, topology.ours.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(5):
            sender.sendto(MESSAGE, (NO_ROW, PORT))
        # An answered ping has followed them all the way, so what leaked would have been seen.
        ping(topology.underlay_host("ours", 4), topology.underlay_host("far", 4), count=1)
        leaked = len(wire.frames(carries(MESSAGE)))
    dropped = counted(stage, bundle, "dropped") - before
    words = f"{dropped} of 5 dropped and counted, {leaked} unencapsulated"
    screen.check(dropped == 5 and leaked == 0, "a destination without a row", words)


def wrong_vni(screen: Screen, stage: Stage, bundle: Path) -> None:
    """The far end sends with a VNI that the table of VNIs does not have."""
    topology = stage.topology
    topology.far.ip(f"link del {kernel_vxlan.DEVICE}")
    kernel_vxlan.add_device(topology, "far", VNI + 1, outer=4)
    kernel_vxlan.add_peer(topology, "far", "ours", topology.mac("ours"), outer=4)
    before = counted(stage, bundle, "refused")
    result = ping(topology.host("far", 4), topology.host("ours", 4), timeout=0.2)
    refused = counted(stage, bundle, "refused") - before
    words = f"{refused} of {result.sent} refused and counted, {result.good} answered"
    screen.check(result.good == 0 and refused == result.sent, "a VNI that is not ours", words)


def counted(stage: Stage, bundle: Path, kind: str) -> int:
    """Packets of all counters of a kind: dropped, refused ..."""
    return sum(row["packets"] for row in cli.stats(stage.topology.ours, bundle) if row["kind"] == kind)

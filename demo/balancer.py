"""The story of a server behind two load balancers: whatever comes in by one of them is answered through that one."""

from __future__ import annotations

import time
from collections import Counter
from ipaddress import ip_address
from pathlib import Path

from tests.support import cli, kernel_vxlan
from tests.support.balancers import BALANCERS, CLIENTS, EXAMPLE, VIP, Server
from tests.support.topology import PLAN, Topology
from tests.support.traffic import ping, udp_echo
from tests.support.wire import Capture, Frame

from . import web
from .dissect import dissect
from .screen import Screen

PICTURE = """\
client 198.51.100.20 -- balancer near 192.0.2.20 --+   VXLAN, VNI 77
                                                   +-- wire -- server 192.0.2.30, VIP 203.0.113.9
client 198.51.100.10 -- balancer far  192.0.2.10 --+   VXLAN, VNI 78

balancers: the kernel's own vxlan devices. server: the program at eth0, no tunnel device, and a small web server"""
VNIS = {"near": 77, "far": 78}
FETCHES = 25
ADDED = 50  # bytes of VXLAN over IPv4


def show(screen: Screen, folder: Path) -> None:
    screen.title("encap-compile", "answers return through the load balancer that their question came from")

    screen.step("Compile the spec")
    with screen.busy("compiling"):
        started = time.monotonic()
        bundle, said = cli.compile_spec(EXAMPLE, folder)
    screen.command(f"encap-compile {EXAMPLE.relative_to(cli.ROOT)}", time.monotonic() - started)
    screen.output(said.replace(str(folder), "build"))

    screen.step("Two load balancers and a server, in network namespaces")
    with screen.busy("building the network"):
        topology = Topology(offloads="off")  # finished checksums in the captured bytes
    with topology:
        server = Server(topology, 4, vnis=VNIS)
        screen.output(PICTURE)
        with web.serving(server.vip(4)), web.serving(server.vip(6)):
            play(screen, server, bundle)


def play(screen: Screen, server: Server, bundle: Path) -> None:
    """Everything that needs the network."""
    without_program(screen, server)

    screen.step("Load the program")
    started = time.monotonic()
    server.bundle = bundle
    said = cli.apply(server.topology.ours, bundle, uplink="eth0")
    screen.command(f"encapctl apply build/{bundle.name} --set uplink=eth0", time.monotonic() - started)
    screen.output(said)

    one_request(screen, server)
    both_at_once(screen, server)
    failover(screen, server)
    past_the_balancers(screen, server)

    screen.step("What the program counted")
    started = time.monotonic()
    counters = cli.stats(server.topology.ours, bundle)
    screen.command(f"encapctl stats {bundle.name} --format json", time.monotonic() - started)
    screen.counters([row for row in counters if row["packets"]])

    screen.step("Remove it again")
    started = time.monotonic()
    said = cli.remove(server.topology.ours, bundle)
    screen.command(f"encapctl remove {bundle.name}", time.monotonic() - started)
    screen.output(said)
    answered = ping(server.client("near", 4), server.vip(4), count=1, timeout=0.3).good
    screen.check(not answered, "nothing is left behind", "tunnel packets are nobody's again")


def without_program(screen: Screen, server: Server) -> None:
    """With a tunnel device alone: packets come in, and answers leave by the server's own route."""
    screen.step("Without the program, a vxlan device on the server: answers leave unencapsulated")
    ours = server.topology.ours
    mac = server.topology.mac("ours")
    kernel_vxlan.vxlan_device(ours, "vx0", mac, VNIS["near"], PLAN["ours"].underlay[4], [])
    for device in ("all", "vx0"):
        ours.sysctl(f"net/ipv4/conf/{device}/rp_filter", 0)
    before = server.wire()["unencapsulated"]
    result = ping(server.client("near", 4), server.vip(4), count=3, timeout=0.3)
    leaked = server.wire()["unencapsulated"] - before
    words = f"{leaked} of {result.sent} answers unencapsulated, {result.good} reached the client"
    screen.check(leaked == result.sent and not result.good, "as expected", words)
    ours.ip("link del vx0")


def one_request(screen: Screen, server: Server) -> None:
    """Its first packet and the answer to it, on the wire at the server."""
    screen.step("A client behind `near` asks the web server: the question and its answer on the wire")
    with Capture(server.topology.router, "to-ours") as wire:
        fetched = web.fetch(server.client("near", 4), server.vip(4))
        question = wire.first(lambda f: f.outgoing and is_vxlan(f), "the question")
        answer = wire.first(lambda f: not f.outgoing and is_vxlan(f), "the answer")
    screen.picture("the question, SYN", dissect(question.data), ADDED)
    screen.picture("the answer, SYN-ACK, which no socket owns", dissect(answer.data), ADDED)
    screen.check(fetched, "the client got its page", "and the server is an ordinary one")


def both_at_once(screen: Screen, server: Server) -> None:
    screen.step("Clients behind both balancers, IPv4 and IPv6: every answer carries the right outer header")
    with Capture(server.topology.router, "to-ours") as wire:
        good = Counter[str]()
        for _ in range(FETCHES):
            for role in BALANCERS:
                for version in (4, 6):
                    good[role] += web.fetch(server.client(role, version), server.vip(version))
        for role in BALANCERS:
            for version in (4, 6):
                client, vip = server.client(role, version), server.vip(version)
                good[role] += ping(client, vip).good + udp_echo(client, vip).good
        frames = wire.frames(lambda f: not f.outgoing)
    for role in BALANCERS:
        mine = [f.data for f in frames if is_vxlan(f) and inner_destination(f.data) in CLIENTS[role].values()]
        right = sum(outer(data) == (str(PLAN[role].underlay[4]), VNIS[role]) for data in mine)
        words = f"{right} of {len(mine)} answers to {PLAN[role].underlay[4]}, VNI {VNIS[role]}"
        whole = good[role] == 2 * (FETCHES + 3 + 4)
        screen.check(whole and right == len(mine) > 0, f"{role}: {good[role]} requests", words, width=24)
    unencapsulated = server.wire()["unencapsulated"]
    before = 3  # without the program
    screen.check(unencapsulated == before, "unencapsulated", f"{unencapsulated - before} packets", width=24)


def failover(screen: Screen, server: Server) -> None:
    """A balancer's other address takes over, with another VNI: the next answer goes there."""
    screen.step("`near` fails over to another address and VNI, in the middle of what it carries")
    near, second = server.topology.near, "192.0.2.21"
    near.ip(f"addr add {second}/28 dev eth0")
    server.tunnel("near", "tun1", second, VNIS["near"] + 100)
    seen = []
    client, vip = server.client("near", 4), server.vip(4)
    for device in ("tun0", "tun1", "tun0"):
        server.send_through("near", device)
        with Capture(server.topology.router, "to-ours") as wire:
            # A ping's identifier is its process's; the flow goes on if it is given.
            ping(client, vip, count=1, options=["-e", "4711"])
            seen.append(outer(wire.first(lambda f: not f.outgoing and is_vxlan(f), "the answer").data))
    wanted = [(str(PLAN["near"].underlay[4]), VNIS["near"]), (second, VNIS["near"] + 100)]
    words = ", then ".join(f"{address} VNI {vni}" for address, vni in seen)
    screen.check(seen == [*wanted, wanted[0]], "the answers follow", words)


def past_the_balancers(screen: Screen, server: Server) -> None:
    """Who reaches a VIP without a balancer gets no answer: a VIP never answers unencapsulated."""
    screen.step("What must not pass")
    topology = server.topology
    topology.router.ip(f"route add {VIP[4]} via {PLAN['ours'].underlay[4]}")
    stranger = topology.underlay_host("far", 4)
    topology.far.ip(f"route replace {VIP[4]} via {PLAN['far'].gateway[4]}")
    before = server.wire()["unencapsulated"], server.counters()["egress_rule_vip_unlearned"]
    result = ping(stranger, server.vip(4), timeout=0.3)
    leaked = server.wire()["unencapsulated"] - before[0]
    dropped = server.counters()["egress_rule_vip_unlearned"] - before[1]
    words = f"{dropped} of {result.sent} answers dropped and counted, {leaked} unencapsulated"
    screen.check(dropped == result.sent and not leaked and not result.good, "a VIP reached past the balancers", words)
    topology.far.ip(f"route del {VIP[4]} via {PLAN['far'].gateway[4]}")


def is_vxlan(frame: Frame) -> bool:
    data = frame.data
    return data[12:14] == b"\x08\x00" and data[23] == 17 and data[36:38] == kernel_vxlan.PORT.to_bytes(2, "big")


def outer(data: bytes) -> tuple[str, int]:
    """Where a VXLAN frame goes: the outer destination and the VNI."""
    return str(ip_address(data[30:34])), int.from_bytes(data[46:49], "big")


def inner_destination(data: bytes) -> str:
    packet = data[64:]
    return str(ip_address(packet[16:20] if packet[0] >> 4 == 4 else packet[24:40]))

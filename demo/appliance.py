"""The story of an appliance behind a gateway load balancer: what it forwards goes back as it came."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

from tests.support import appliance, cli
from tests.support.appliance import ENIS, EXAMPLE, MARKS, SERVER, VNI, Network
from tests.support.traffic import bulk_tcp, ping, udp_echo
from tests.support.wire import quiet

from . import web
from .dissect import dissect
from .screen import Screen

PICTURE = """\
client 10.7.0.5 -- endpoint (ENI) a --+                                     +--> server 10.7.0.80 of a
                                      +-- balancer 10.0.1.10 -- appliance --+
client 10.7.0.5 -- endpoint (ENI) b --+    Geneve, 3 options   10.0.1.20    +--> server 10.7.0.80 of b

both pairs have the same addresses. balancer: scapy, passes on only what comes back as it must, byte by byte.
appliance: the program at eth0, and the kernel that forwards; no tunnel device"""
SO_MARK = 36
ADDED = 82  # bytes of Geneve with its options, and the Ethernet header
PORT = 7007  # of the UDP echo
BULK = 100_000


def show(screen: Screen, folder: Path) -> None:
    screen.title("encap-compile", "an appliance behind a gateway load balancer, two tenants with the same addresses")

    screen.step("Compile the spec")
    with screen.busy("compiling"):
        started = time.monotonic()
        bundle, said = cli.compile_spec(EXAMPLE, folder)
    screen.command(f"encap-compile {EXAMPLE.relative_to(cli.ROOT)}", time.monotonic() - started)
    screen.output(said.replace(str(folder), "build"))

    screen.step("Two endpoints, their balancer and the appliance, in network namespaces")
    with screen.busy("building the network"):
        network = Network()
    with network:
        screen.output(PICTURE)
        play(screen, network, bundle)


def play(screen: Screen, network: Network, bundle: Path) -> None:
    """Everything that needs the network."""
    screen.step("Load the program")
    started = time.monotonic()
    said = network.apply(bundle)
    screen.command(f"encapctl apply build/{bundle.name} --set uplink=eth0", time.monotonic() - started)
    screen.output(said)

    one_packet(screen, network)
    traffic(screen, network)
    firewall(screen, network)
    refusals(screen, network)

    screen.step("What the program counted")
    started = time.monotonic()
    counters = cli.stats(network.appliance, bundle)
    screen.command(f"encapctl stats {bundle.name} --format json", time.monotonic() - started)
    screen.counters([row for row in counters if row["packets"]])

    screen.step("Remove it again")
    started = time.monotonic()
    said = cli.remove(network.appliance, bundle)
    screen.command(f"encapctl remove {bundle.name}", time.monotonic() - started)
    screen.output(said)
    before = network.wire()
    with network.balancing():
        passed = ping(network.client("a", 4), network.server("a", 4), count=1, timeout=0.3).good
    after = network.wire()["tunnel"] - before["tunnel"]
    screen.check(not passed and not after, "nothing is left behind", f"{after} packets in Geneve")


def datagram(payload: bytes) -> Any:
    from scapy.layers.inet import IP, UDP

    return IP(src=appliance.CLIENT[4], dst=SERVER[4]) / UDP(sport=4000, dport=53) / payload


def one_packet(screen: Screen, network: Network) -> None:
    screen.step("One packet to the appliance, and how it goes on")
    inner = bytes(datagram(b"what is behind the tunnel?"))
    with network.capture() as wire:
        network.send(inner, ENIS["a"], order="201", port=54321)
        came = wire.first(lambda f: f.outgoing and inner in f.data, "the packet")
        back = wire.first(lambda f: not f.outgoing and inner[12:] in f.data, "the packet on its way back")
    screen.picture("to the appliance", dissect(came.data), ADDED)
    screen.picture("back to the balancer", dissect(back.data), ADDED)
    expected = appliance.tunnelled(
        back.data[ADDED:], appliance.options(ENIS["a"], b"cook"), appliance.APPLIANCE, appliance.BALANCER, 54321, VNI
    )
    words = "addresses exchanged; port, VNI and options kept; inside one hop less"
    hop = back.data[ADDED + 8] == inner[8] - 1
    screen.check(back.data[14:] == expected and hop, "as it must be, every byte", words)


def traffic(screen: Screen, network: Network) -> None:
    """Both pairs at once, from sockets to sockets."""
    screen.step("Real traffic of both tenants")
    before = network.wire()["unencapsulated"]
    with network.balancing() as balancer:
        for pair in ENIS:
            client, server = network.client(pair, 4), network.server(pair, 4)
            with screen.busy(f"endpoint {pair}"), web.serving(server):
                pings, echoes = ping(client, server), udp_echo(client, server, sizes=(1, 512, 1200))
                six = ping(network.client(pair, 6), network.server(pair, 6))
                bulk = bulk_tcp(client, server, BULK)
                page = web.fetch(client, server)
            words = f"ping {pings.good}/{pings.sent}, IPv6 {six.good}/{six.sent}  udp {echoes.good}/{echoes.sent}  "
            words += f"tcp 2 x {BULK // 1000} kB {'whole' if bulk else bulk.problem or 'damaged'}"
            screen.check(all((pings, echoes, six, bulk, page)), f"endpoint {pair}", words, width=20)
        report = balancer.stop()
    delivered = sum(report.delivered.values())
    words = f"{delivered} packets back as they must be, {len(report.refused)} not"
    screen.check(delivered > 0 and not report.refused, "the balancer", words, width=20)
    leaked = network.wire()["unencapsulated"] - before
    screen.check(not leaked, "unencapsulated", f"{leaked} packets", width=20)


def firewall(screen: Screen, network: Network) -> None:
    """What the appliance is for: it sees inner packets, and by their mark whose they are."""
    screen.step(f"A firewall: UDP port {PORT} is closed for endpoint a, by mark")
    rule = f"meta mark {MARKS['a']:#x} udp dport {PORT} drop"
    screen.command(f"nft add rule inet inspect through {rule}", 0)
    network.appliance.run(
        ["nft", f"table inet inspect {{\nchain through {{\ntype filter hook forward priority 0;\n{rule}\n}}\n}}"]
    )
    with network.balancing():
        good = {
            pair: udp_echo(network.client(pair, 4), network.server(pair, 4), sizes=(64,), timeout=0.5, port=PORT).good
            for pair in ENIS
        }
    screen.check(good == {"a": 0, "b": 1}, "one address, two tenants", f"a: {good['a']} of 1, b: {good['b']} of 1")


def refusals(screen: Screen, network: Network) -> None:
    screen.step("What must not pass")
    before, counted = network.wire(), network.counters()
    with network.capture() as wire:
        for _ in range(5):
            network.send(bytes(datagram(b"not mine")), bytes(8))
        quiet(wire)
    refused = _rise(network, counted, "refused_gwlb__geneve_option_eni")
    screen.check(refused == 5, "an endpoint that is not listed", f"{refused} of 5 refused and counted")
    with network.appliance.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.SOL_SOCKET, SO_MARK, MARKS["a"])
        for _ in range(5):
            sender.sendto(b"never came in", (SERVER[4], 53))
    lost = _rise(network, counted, "egress_rule_lost")
    screen.check(lost == 5, "a mark without a flow", f"{lost} of 5 dropped and counted")
    leaked = sum((network.wire() - before).values())
    screen.check(leaked == 0, "on the wire", f"{leaked} packets of these")


def _rise(network: Network, before: Any, name: str) -> int:
    return int(network.counters()[name] - before[name])

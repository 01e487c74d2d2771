"""A server behind a GUE load balancer that answers to a gateway: the network of the tests of examples/gue-edge.yaml.

The server is `ours`, the balancer `far`, the gateway `near`, where the client lives behind a TUN device. A process
takes what the client sends, puts it into GUE with private data of the flow, and sends it from the balancer. It delivers
what comes to the gateway if it is, byte by byte, what an answer of that flow must be.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import selectors
import socket
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from . import cli
from .netns import Namespace
from .scapy_peer import TUN, Report, check_inner, open_tun
from .topology import PLAN, Topology
from .traffic import Host
from .wire import ETH_P_ALL, PACKET_OUTGOING

EXAMPLE = cli.ROOT / "examples" / "gue-edge.yaml"
PORT, MTU = 6080, 1400
VIP = {4: "203.0.113.9", 6: "2001:db8:ff::9"}
CLIENT = {4: "198.51.100.20", 6: "2001:db8:c::20"}


def flow_of(packet: bytes) -> int:
    """A number that both directions of a flow have in common."""
    ends = sorted((packet[12:16], packet[16:20]) if packet[0] >> 4 == 4 else (packet[8:24], packet[24:40]))
    at = (packet[0] & 15) * 4 if packet[0] >> 4 == 4 else 40
    ports = sorted((packet[at : at + 2], packet[at + 2 : at + 4]))
    if (packet[9] if packet[0] >> 4 == 4 else packet[6]) in (1, 58):
        ports = [packet[at + 4 : at + 6]]  # the identifier of an echo
    return zlib.crc32(b"".join((*ends, *ports)))


def private(flow: int) -> bytes:
    """0 to 16 bytes of the balancer's own."""
    return flow.to_bytes(4, "big") * (flow % 5)


def gue(inner: bytes, data: bytes) -> bytes:
    return bytes((len(data) // 4, 4 if inner[0] >> 4 == 4 else 41, 0, 0)) + data + inner


def tunnelled(
    inner: bytes, data: bytes, source: object, destination: object, port: int, ttl: int = 64, id_: int = 0
) -> bytes:
    """A packet in GUE, from the outer IP header on; DSCP and ECN are the inner ones."""
    from scapy.layers.inet import IP, UDP
    from scapy.layers.inet6 import IPv6
    from scapy.packet import Raw

    tos = inner[1] if inner[0] >> 4 == 4 else int.from_bytes(inner[:2], "big") >> 4 & 0xFF
    udp = UDP(sport=port, dport=PORT, chksum=0) / Raw(gue(inner, data))
    if ":" not in str(source):
        return bytes(IP(src=str(source), dst=str(destination), ttl=ttl, id=id_, flags="DF", tos=tos) / udp)
    packet = bytearray(bytes(IPv6(src=str(source), dst=str(destination), hlim=ttl, tc=tos) / udp))
    packet[46:48] = bytes(2)  # scapy takes a zero for "compute it"
    return bytes(packet)


class Edge:
    """The server with its VIPs, and a gateway that is reached over IP version `gateway`."""

    def __init__(self, topology: Topology, gateway: int) -> None:
        self.topology, self.gateway = topology, gateway
        topology.ours.ip(*(f"addr add {VIP[version]} dev lo nodad" for version in (4, 6)))
        self.tun = open_tun(topology.near, TUN)
        topology.near.ip(f"link set {TUN} mtu {MTU} up", *(f"addr add {a} dev {TUN} nodad" for a in CLIENT.values()))
        topology.near.ip(*(f"route add {VIP[version]} dev {TUN} src {CLIENT[version]}" for version in (4, 6)))
        # Without the address the kernel there does not answer the tunnel's packets with port unreachable.
        plan = PLAN["near"]
        topology.near.ip(f"addr del {plan.underlay[gateway]}/{plan.width[gateway]} dev eth0")
        self._watch()

    def close(self) -> None:
        os.close(self.tun)

    def client(self, version: int) -> Host:
        return Host(self.topology.near, CLIENT[version])

    def vip(self, version: int) -> Host:
        return Host(self.topology.ours, VIP[version])

    def apply(self, bundle: Path) -> None:
        self.bundle = bundle
        cli.apply(self.topology.ours, bundle, uplink="eth0", gateway=str(PLAN["near"].underlay[self.gateway]))

    def counters(self) -> Counter[str]:
        return Counter({row["name"]: row["packets"] for row in cli.stats(self.topology.ours, self.bundle)})

    def _watch(self) -> None:
        """Counters of nftables, where the server's packets come onto the wire."""
        rules = [
            f"ip saddr {VIP[4]} counter name unencapsulated",
            f"ip6 saddr {VIP[6]} counter name unencapsulated",
            f"{'ip' if self.gateway == 4 else 'ip6'} daddr {PLAN['near'].underlay[self.gateway]} counter name gateway",
            f"ip daddr {PLAN['far'].underlay[4]} udp dport {PORT} counter name balancer",
        ]
        chain = "\n".join(["type filter hook ingress device to-ours priority 0;", *rules])
        names = "".join(f"counter {name} {{}}\n" for name in ("unencapsulated", "gateway", "balancer"))
        self.topology.router.run(["nft", f"table netdev watch {{\n{names}chain server {{\n{chain}\n}}\n}}"])

    def wire(self) -> Counter[str]:
        """Packets of the server: `unencapsulated` from a VIP, in GUE to the `gateway`, in GUE to the `balancer`."""
        said = self.topology.router.run(["nft", "-j", "list", "counters", "table", "netdev", "watch"]).stdout
        found = [entry["counter"] for entry in json.loads(said)["nftables"] if "counter" in entry]
        return Counter({counter["name"]: counter["packets"] for counter in found})

    @contextmanager
    def balancing(self) -> Iterator[BalancerAndGateway]:
        """The process, for the time of the block."""
        process = BalancerAndGateway(self)
        try:
            yield process
        finally:
            process.stop()


class BalancerAndGateway:
    def __init__(self, edge: Edge) -> None:
        # Before the fork: to import scapy takes longer than a ping waits for its answer.
        from scapy.layers import inet, inet6  # noqa: F401

        topology = edge.topology
        out = self._raw(topology.far)
        back = self._raw(topology.near)
        macs = topology.mac("router", "wan") + topology.mac("far")
        context = multiprocessing.get_context("fork")
        self._control, theirs = context.Pipe()
        ends = str(PLAN["ours"].underlay[edge.gateway]), str(PLAN["near"].underlay[edge.gateway])
        head = bytes.fromhex(macs.replace(":", "")) + b"\x08\x00"
        work = _Work(edge.tun, out, back, head, ends, theirs)
        self._process = context.Process(target=work.run, daemon=True)
        self._process.start()
        for one in (theirs, out, back):
            one.close()

    def _raw(self, namespace: Namespace) -> socket.socket:
        found = namespace.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        found.bind(("eth0", ETH_P_ALL))
        return found

    def stop(self) -> Report:
        """End it and return what it saw; the last report again when it has ended already."""
        if self._process.is_alive():
            self._control.send("stop")
            self._report: Report = self._control.recv() if self._control.poll(5) else Report(refused=["it died"])
            self._process.join(5)
            self._process.kill()
        return self._report


@dataclass
class _Work:
    """The child process. `ends` are the outer addresses of an answer."""

    tun: int
    out: socket.socket
    back: socket.socket
    head: bytes
    ends: tuple[str, str]
    control: Connection
    flows: set[int] = field(default_factory=set)
    report: Report = field(default_factory=Report)

    def run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self.tun, selectors.EVENT_READ, self._outgoing)
            selector.register(self.back, selectors.EVENT_READ, self._incoming)
            selector.register(self.control, selectors.EVENT_READ, None)
            while True:
                for key, _ in selector.select():
                    if key.data is None:
                        self.control.send(self.report)
                        return
                    key.data()

    def _outgoing(self) -> None:
        packet = os.read(self.tun, 65536)
        if packet[0] >> 4 == 6 and packet[24] == 0xFF:
            return  # the host's own multicast: router solicitations and the like
        flow = flow_of(packet)
        self.flows.add(flow)
        source, destination = PLAN["far"].underlay[4], PLAN["ours"].underlay[4]
        self.out.send(self.head + tunnelled(packet, private(flow), source, destination, 49152 + flow % 16384))

    def _incoming(self) -> None:
        frame, (_, _, kind, *_) = self.back.recvfrom(65536)
        six = ":" in self.ends[0]
        at = 14 + (40 if six else 20)
        protocol = frame[20] if six else frame[23]
        if kind == PACKET_OUTGOING or frame[12:14] != (b"\x86\xdd" if six else b"\x08\x00") or protocol != 17:
            return
        try:
            inner = self._unwrap(frame[14:], at - 14)
        except ValueError as why:
            self.report.refused.append(str(why))
            return
        self.report.accepted += 1
        os.write(self.tun, inner)

    def _unwrap(self, packet: bytes, udp: int) -> bytes:
        inner = packet[udp + 12 + (packet[udp + 8] & 31) * 4 :]
        flow: Any = flow_of(inner)
        if flow not in self.flows:
            raise ValueError(f"no answer of a flow that was sent: {packet.hex()}")
        port = int.from_bytes(packet[udp : udp + 2], "big")
        # Segments of a GSO packet have their outer IPv4 headers numbered by the kernel. The router is on the way.
        number = 0 if udp == 40 else int.from_bytes(packet[4:6], "big")
        wanted = tunnelled(inner, private(flow), *self.ends, port, ttl=63, id_=number)
        if packet != wanted:
            raise ValueError(f"{packet.hex()} came to the gateway, not {wanted.hex()}")
        return check_inner(inner, True)

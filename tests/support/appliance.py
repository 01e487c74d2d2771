"""An appliance behind a gateway load balancer: the network of the tests of examples/gwlb.yaml.

    client a, server a --+
                         +-- balancer eth0 --- bridge `wire` --- eth0 appliance
    client b, server b --+

Clients and servers are two pairs, each behind an endpoint (ENI) of its own and both with the same addresses. The
balancer is a process: it takes what they send from their TUN devices, puts it into Geneve by scapy, and sends it to the
appliance. Only what comes back as it must is delivered: addresses exchanged, the source port that the flow had, the
VNI and the options as they were. So both ends of a test's sockets are the kernel's, the appliance forwards by the
kernel, and the remote tunnel endpoint shares nothing with the compiler.
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
from ipaddress import ip_address
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from . import cli
from .links import End, bridge, mac_of, neighbour, set_offloads, veth
from .netns import Namespace
from .scapy_peer import check_inner, open_tun
from .traffic import Host
from .wire import ETH_P_ALL, PACKET_OUTGOING, Capture

EXAMPLE = cli.ROOT / "examples" / "gwlb.yaml"
BALANCER, APPLIANCE, PORT, VNI = "10.0.1.10", "10.0.1.20", 6081, 0x00BEEF
CLIENT = {4: "10.7.0.5", 6: "fd00:7::5"}
SERVER = {4: "10.7.0.80", 6: "fd00:7::80"}
ENIS = {"a": bytes.fromhex("0a1b2c3d4e5f6071"), "b": bytes.fromhex("0a1b2c3d4e5f6072")}
MARKS = {"a": 0x6000, "b": 0x6001}  # of examples/gwlb-enis.csv
ATTACHMENT = b"attached"
TUN, MTU = "tun0", 1400


def options(eni: bytes, cookie: bytes) -> list[Any]:
    """The three options of AWS, in the order of their types."""
    from scapy.contrib.geneve import GeneveOptions

    return [GeneveOptions(classid=0x0108, type=t, data=d) for t, d in ((1, eni), (2, ATTACHMENT), (3, cookie))]


def tunnelled(inner: bytes, found: list[Any], source: str, destination: str, port: int, vni: int = VNI) -> bytes:
    """A packet in Geneve, from the outer IP header on."""
    from scapy.contrib.geneve import GENEVE
    from scapy.layers.inet import IP, UDP
    from scapy.packet import Raw

    geneve = GENEVE(vni=vni, proto=0x0800 if inner[0] >> 4 == 4 else 0x86DD, options=found) / Raw(inner)
    udp = UDP(sport=port, dport=PORT, chksum=0)
    return bytes(IP(src=source, dst=destination, ttl=64, id=0, flags="DF") / udp / geneve)


class Network:
    """Builds it all; everything is gone after `destroy` or the `with` block."""

    def __init__(self) -> None:
        self.namespaces: dict[str, Namespace] = {}
        ends = [f"{role}-{pair}" for pair in ENIS for role in ("client", "server")]
        try:
            for name in ("wire", "balancer", "appliance", *ends):
                self.namespaces[name] = Namespace(name)
            self._cable()
            self.tuns = {(pair, a): fd for pair in ENIS for a, fd in self._pair(pair)}
        except BaseException:
            self.destroy()
            raise

    def __enter__(self) -> Network:
        return self

    def __exit__(self, *_: object) -> None:
        self.destroy()

    def destroy(self) -> None:
        for fd in set(getattr(self, "tuns", {}).values()):
            os.close(fd)
        self.tuns = {}
        for namespace in self.namespaces.values():
            namespace.destroy()

    @property
    def appliance(self) -> Namespace:
        return self.namespaces["appliance"]

    def client(self, pair: str, version: int) -> Host:
        return Host(self.namespaces[f"client-{pair}"], CLIENT[version])

    def server(self, pair: str, version: int) -> Host:
        return Host(self.namespaces[f"server-{pair}"], SERVER[version])

    def _cable(self) -> None:
        wire, appliance = self.namespaces["wire"], self.appliance
        links: list[End] = []
        for name in ("balancer", "appliance"):
            links += veth(self.namespaces[name], "eth0", wire, f"to-{name}")
        bridge(wire, "lan", ["to-balancer", "to-appliance"])
        for end in links:
            set_offloads(end, "off")
        mac = self.mac("balancer")
        # Packets go out of the device that they came in by, to the balancer's MAC address, as from a router there. No
        # address of the balancer is one of its kernel, which would answer the tunnel's packets itself.
        for name in ("all", "eth0", "default"):
            appliance.sysctl(f"net.ipv4.conf.{name}.send_redirects", 0)
        appliance.sysctl("net.ipv4.ip_forward", 1)
        appliance.sysctl("net.ipv6.conf.all.forwarding", 1)
        for address, gateway, width in ((APPLIANCE, BALANCER, 24), ("2001:db8:1::20", "2001:db8:1::10", 64)):
            appliance.ip(f"addr add {address}/{width} dev eth0 nodad")
            neighbour(appliance, "eth0", gateway, mac)
            appliance.ip(f"route add default via {gateway} dev eth0")
        self._watch()

    def _pair(self, pair: str) -> Iterator[tuple[str, int]]:
        """The TUN devices of a client and its server, by the addresses behind them."""
        for role, addresses, others in (("client", CLIENT, SERVER), ("server", SERVER, CLIENT)):
            namespace = self.namespaces[f"{role}-{pair}"]
            fd = open_tun(namespace, TUN)
            namespace.ip(f"link set {TUN} mtu {MTU} up", *(f"addr add {a} dev {TUN} nodad" for a in addresses.values()))
            namespace.ip(*(f"route add {a} dev {TUN} src {addresses[v]}" for v, a in others.items()))
            for address in addresses.values():
                yield address, fd

    def mac(self, name: str) -> str:
        return mac_of(self.namespaces[name], "eth0")

    def _watch(self) -> None:
        """Counters of nftables, where the appliance's packets come onto the wire."""
        rules = [
            f"ip saddr {APPLIANCE} ip daddr {BALANCER} udp dport {PORT} counter name tunnel return",
            "ip saddr 0.0.0.0/0 counter name unencapsulated",
            "ip6 saddr fe80::/10 return",
            "ip6 saddr :: return",
            "ip6 saddr ::/0 counter name unencapsulated",
        ]
        chain = "\n".join(["type filter hook ingress device to-appliance priority 0;", *rules])
        text = f"table netdev watch {{\ncounter unencapsulated {{}}\ncounter tunnel {{}}\nchain out {{\n{chain}\n}}\n}}"
        self.namespaces["wire"].run(["nft", text])

    def wire(self) -> Counter[str]:
        """Packets of the appliance on the wire: `tunnel` to the balancer in Geneve, `unencapsulated` all others."""
        said = self.namespaces["wire"].run(["nft", "-j", "list", "counters", "table", "netdev", "watch"]).stdout
        found = [entry["counter"] for entry in json.loads(said)["nftables"] if "counter" in entry]
        return Counter({counter["name"]: counter["packets"] for counter in found})

    def apply(self, bundle: Path) -> str:
        self.bundle = bundle
        return cli.apply(self.appliance, bundle, uplink="eth0")

    def counters(self) -> Counter[str]:
        return Counter({row["name"]: row["packets"] for row in cli.stats(self.appliance, self.bundle)})

    def send(self, inner: bytes, eni: bytes, cookie: bytes = b"cook", order: str = "012", **more: Any) -> None:
        """One packet as the balancer sends it, without the balancer's process."""
        found = options(eni, cookie)
        packet = tunnelled(
            inner,
            [found[int(i)] for i in order],
            more.pop("source", BALANCER),
            APPLIANCE,
            more.pop("port", 50000),
            **more,
        )
        head = bytes.fromhex((self.mac("appliance") + self.mac("balancer")).replace(":", "")) + b"\x08\x00"
        with self.namespaces["balancer"].socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as raw:
            raw.bind(("eth0", 0))
            raw.send(head + packet)

    def capture(self) -> Capture:
        """What the appliance puts on the wire, and what comes to it."""
        return Capture(self.namespaces["wire"], "to-appliance")

    @contextmanager
    def balancing(self) -> Iterator[GatewayBalancer]:
        """The balancer's process, for the time of the block."""
        balancer = GatewayBalancer(self)
        try:
            yield balancer
        finally:
            balancer.stop()


@dataclass
class Report:
    """What came back to the balancer: packets of each pair that it delivered, and why it did not deliver others."""

    delivered: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)


class GatewayBalancer:
    def __init__(self, network: Network) -> None:
        # Before the fork: to import scapy takes longer than a ping waits for its answer.
        from scapy.contrib import geneve  # noqa: F401
        from scapy.layers import inet, inet6  # noqa: F401

        wire = network.namespaces["balancer"].socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        wire.bind(("eth0", ETH_P_ALL))
        head = bytes.fromhex((network.mac("appliance") + network.mac("balancer")).replace(":", "")) + b"\x08\x00"
        context = multiprocessing.get_context("fork")
        self._control, theirs = context.Pipe()
        work = _Work(network.tuns, wire, head, theirs)
        self._process = context.Process(target=work.run, daemon=True)
        self._process.start()
        theirs.close()
        wire.close()

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
    """The child process. `cookies` are what each flow was sent with: pair and source port -> cookie."""

    tuns: dict[tuple[str, str], int]
    wire: socket.socket
    head: bytes
    control: Connection
    cookies: dict[tuple[str, int], bytes] = field(default_factory=dict)
    report: Report = field(default_factory=Report)

    def run(self) -> None:
        pairs = {fd: pair for (pair, _), fd in self.tuns.items()}
        with selectors.DefaultSelector() as selector:
            for fd, pair in pairs.items():
                selector.register(fd, selectors.EVENT_READ, (self._outgoing, (fd, pair)))
            selector.register(self.wire, selectors.EVENT_READ, (self._incoming, ()))
            selector.register(self.control, selectors.EVENT_READ, None)
            while True:
                for key, _ in selector.select():
                    if key.data is None:
                        self.control.send(self.report)
                        return
                    function, arguments = key.data
                    function(*arguments)

    def _outgoing(self, fd: int, pair: str) -> None:
        packet = os.read(fd, 65536)
        if packet[0] >> 4 == 6 and packet[24] == 0xFF:
            return  # the host's own multicast: router solicitations and the like
        # A number for the flow, the same for both directions: the cookie and the source port come from it.
        ends = sorted((packet[12:16], packet[16:20]) if packet[0] >> 4 == 4 else (packet[8:24], packet[24:40]))
        at = (packet[0] & 15) * 4 if packet[0] >> 4 == 4 else 40
        flow = zlib.crc32(b"".join((pair.encode(), *ends, *sorted((packet[at : at + 2], packet[at + 2 : at + 4])))))
        cookie, port = flow.to_bytes(4, "big"), 49152 + flow % 16384
        self.cookies[pair, port] = cookie
        found = options(ENIS[pair], cookie)
        self.wire.send(self.head + tunnelled(packet, found[flow % 3 :] + found[: flow % 3], BALANCER, APPLIANCE, port))

    def _incoming(self) -> None:
        frame, (_, _, kind, *_) = self.wire.recvfrom(65536)
        if kind == PACKET_OUTGOING or frame[12:14] != b"\x08\x00" or frame[0] & 1:
            return
        try:
            pair, inner = self._unwrap(frame[14:])
            target = str(ip_address(inner[16:20] if inner[0] >> 4 == 4 else inner[24:40]))
            fd = self.tuns[pair, target]
        except (ValueError, KeyError) as why:
            self.report.refused.append(str(why))
            return
        self.report.delivered[pair] += 1
        os.write(fd, inner)

    def _unwrap(self, packet: bytes) -> tuple[str, bytes]:
        """The pair and the inner packet of one that is, byte by byte, what it must be."""
        from scapy.contrib.geneve import GENEVE
        from scapy.layers.inet import IP, UDP

        found: Any = IP(packet)
        if UDP not in found or found[UDP].dport != PORT:
            raise ValueError(f"no Geneve: {found.summary()}")
        geneve = GENEVE(bytes(found[UDP].payload))
        pair = next((p for p, eni in ENIS.items() if geneve.options and geneve.options[0].data == eni), "")
        cookie = self.cookies.get((pair, found[UDP].sport))
        if cookie is None:
            raise ValueError(f"no flow of {pair or 'any pair'} was sent from port {found[UDP].sport}")
        inner = bytes(geneve.payload)
        wanted = tunnelled(inner, options(ENIS[pair], cookie), APPLIANCE, BALANCER, found[UDP].sport)
        if packet != wanted:
            raise ValueError(f"{packet.hex()} came back, not {wanted.hex()}")
        return pair, check_inner(inner, True)

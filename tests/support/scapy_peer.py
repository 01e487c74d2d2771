"""A tunnel endpoint written with scapy, for encapsulations that this kernel has no device for.

The peer's host gets a TUN device for its overlay addresses. A child process moves packets between it and the wire:
what arrives is taken apart by scapy and checked strictly (checksums, lengths, expected headers), what leaves is built
by scapy. So both ends of a test's sockets are the kernel's, and everything between is independent of the compiler.
"""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import selectors
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from .netns import Namespace
from .topology import PLAN, Topology
from .wire import ETH_P_ALL, PACKET_OUTGOING

TUN = "tun0"
TUNSETIFF = 0x400454CA
IFF_TUN_NO_PI = 0x1001
ICMPV6 = 58
MTU = 1400  # of the tunnel device: room for every encapsulation on a 1500 byte path

SOL_PACKET, PACKET_AUXDATA, CHECKSUM_NOT_READY = 263, 8, 1 << 3

# A layer-3 packet in, the packet that it carries out; raises ValueError with the reason when anything is wrong. False:
# the sender left the inner checksum to a network card, so it is made here and not checked.
Unwrap = Callable[[bytes, bool], bytes]
Wrap = Callable[[bytes], bytes]


def open_tun(namespace: Namespace, name: str) -> int:
    """Make a TUN device in a namespace; it is there as long as the file is open."""
    with namespace.entered():
        tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN_NO_PI))
    return tun


@dataclass
class Report:
    """What the peer saw: packets that it took in, and why it refused others."""

    accepted: int = 0
    refused: list[str] = field(default_factory=list)


class ScapyPeer:
    """Runs `unwrap` and `wrap` for a host of the topology until `stop`, which returns the report."""

    def __init__(self, topology: Topology, role: str, outer: int, wrap: Wrap, unwrap: Unwrap) -> None:
        namespace, plan = topology.namespaces[role], PLAN[role]
        tun = open_tun(namespace, TUN)
        namespace.ip(f"link set {TUN} mtu {MTU} up", *(f"addr add {plan.overlay[v]} dev {TUN} nodad" for v in (4, 6)))
        for other in PLAN:
            if other != role:
                namespace.ip(*(f"route add {PLAN[other].prefix[v]} dev {TUN} src {plan.overlay[v]}" for v in (4, 6)))
        # Without the address the kernel there does not answer the tunnel's packets with protocol unreachable.
        namespace.ip(f"addr del {plan.underlay[outer]}/{plan.width[outer]} dev eth0")
        wire = namespace.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        wire.bind(("eth0", ETH_P_ALL))
        wire.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        gateway_device = {"far": "wan", "near": "lan"}[role]
        header = bytes.fromhex((topology.mac("router", gateway_device) + topology.mac(role)).replace(":", ""))
        header += b"\x08\x00" if outer == 4 else b"\x86\xdd"
        context = multiprocessing.get_context("fork")
        self._control, theirs = context.Pipe()
        work = _Work(tun, wire, header, wrap, unwrap, theirs)
        self._process = context.Process(target=work.run, daemon=True)
        self._process.start()
        theirs.close()
        wire.close()
        os.close(tun)

    def __enter__(self) -> ScapyPeer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> Report:
        """End the peer and return what it saw; the last report again when it has ended already."""
        if self._process.is_alive():
            self._control.send("stop")
            self._report: Report = self._control.recv() if self._control.poll(5) else Report(refused=["peer died"])
            self._process.join(5)
            self._process.kill()
        return self._report


@dataclass
class _Work:
    """The child process."""

    tun: int
    wire: socket.socket
    header: bytes  # Ethernet, to the gateway
    wrap: Wrap
    unwrap: Unwrap
    control: Connection
    report: Report = field(default_factory=Report)

    def run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self.tun, selectors.EVENT_READ, self._outgoing)
            selector.register(self.wire, selectors.EVENT_READ, self._incoming)
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
        self.wire.send(self.header + self.wrap(packet))

    def _incoming(self) -> None:
        frame, ancillary, _, (_, _, kind, *_) = self.wire.recvmsg(65536, 64)
        (status,) = struct.unpack_from("=I", ancillary[0][2])
        ethertype = frame[12:14]
        if kind == PACKET_OUTGOING or ethertype != self.header[12:14] or frame[0] & 1:
            return
        if ethertype == b"\x86\xdd" and frame[20] == ICMPV6:
            return  # neighbour discovery, with which this host has no part
        try:
            inner = self.unwrap(frame[14:], not status & CHECKSUM_NOT_READY)
        except ValueError as why:
            self.report.refused.append(str(why))
            return
        self.report.accepted += 1
        os.write(self.tun, inner)


def gre(local: str, remote: str, key: int) -> tuple[Wrap, Unwrap]:
    """GRE with a key, as RFC 2784 and RFC 2890 say, by scapy's layers."""
    from scapy.layers.l2 import GRE

    return _tunnel(
        local,
        remote,
        47,
        lambda inner: GRE(key_present=1, key=key, proto=_ethertype(inner)) / inner,
        GRE,
        {"key_present": 1, "key": key, "chksum_present": 0, "seqnum_present": 0, "version": 0},
    )


def ipip(local: str, remote: str) -> tuple[Wrap, Unwrap]:
    """IP directly in IP (RFC 2003, RFC 2473 and relatives), both families inside and outside."""
    return _tunnel(local, remote, None, lambda inner: inner, None, {})


def _ethertype(packet: bytes) -> int:
    return 0x0800 if packet[0] >> 4 == 4 else 0x86DD


def _tunnel(
    local: str, remote: str, protocol: int | None, shim: Callable[[bytes], Any], layer: Any, expected: dict[str, int]
) -> tuple[Wrap, Unwrap]:
    """Outer IP by the addresses' family. Without a `protocol` the outer header names the inner family itself."""
    from scapy.layers.inet import IP
    from scapy.layers.inet6 import IPv6

    version6 = ":" in local

    def number(inner: bytes) -> int:
        return protocol if protocol is not None else (4 if inner[0] >> 4 == 4 else 41)

    def wrap(inner: bytes) -> bytes:
        if version6:
            outer: Any = IPv6(src=local, dst=remote, nh=number(inner), hlim=64)
        else:
            outer = IP(src=local, dst=remote, proto=number(inner), ttl=64, flags="DF")
        return bytes(outer / shim(inner))

    def unwrap(packet: bytes, finished: bool) -> bytes:
        outer: Any = IPv6(packet) if version6 else IP(packet)
        _require(outer.src == remote and outer.dst == local, f"outer addresses {outer.src} > {outer.dst}")
        if version6:
            carried = bytes(outer)[40 : 40 + outer.plen]
            _require(len(packet) == 40 + outer.plen, f"IPv6 payload length {outer.plen} in {len(packet)} bytes")
            next_header = outer.nh
        else:
            sum_received = outer.chksum
            del outer.chksum
            _require(IP(bytes(outer)).chksum == sum_received, f"outer IPv4 header checksum {sum_received:#x}")
            _require(outer.len == len(packet), f"outer IPv4 length {outer.len} in {len(packet)} bytes")
            _require(outer.ihl == 5 and outer.frag == 0, "outer IPv4 options or fragment")
            carried, next_header = packet[20:], outer.proto
        if layer is not None:
            header = layer(carried)
            for name, value in expected.items():
                _require(getattr(header, name) == value, f"{layer.__name__} {name} is {getattr(header, name)}")
            inner = bytes(header.payload)
            _require(header.proto == _ethertype(inner), f"{layer.__name__} protocol {header.proto:#x}")
        else:
            inner = carried
        _require(next_header == number(inner), f"outer protocol {next_header}")
        return check_inner(inner, finished)

    return wrap, unwrap


def _require(true: bool, why: str) -> None:
    if not true:
        raise ValueError(why)


def check_inner(packet: bytes, finished: bool) -> bytes:
    """The packet with its checksums as scapy computes them; ValueError if a finished one or a length differs."""
    from scapy.layers.inet import ICMP, IP, TCP, UDP
    from scapy.layers.inet6 import IPv6

    parsed: Any = IP(packet) if packet[0] >> 4 == 4 else IPv6(packet)
    length = parsed.len if packet[0] >> 4 == 4 else 40 + parsed.plen
    _require(length == len(packet), f"inner length {length} in {len(packet)} bytes")
    for kind in (IP, ICMP, TCP, UDP):
        if parsed.haslayer(kind):
            del parsed[kind].chksum
    rebuilt = bytes(parsed)
    _require(rebuilt == packet or not finished, "an inner checksum is wrong")
    return rebuilt

"""Everything that can be sent to the port of a tunnel device, by a device without a program of ours."""

from __future__ import annotations

import socket
import struct
from itertools import product

from scapy.layers.inet import UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from encap_compile.run.kernel import tunnel_devices

from .frames import Listener, inner_datagram, ip_layer
from .topology import PLAN, SECOND_UPLINK, Topology

PORTS = {tunnel_devices.VXLAN: 4789, tunnel_devices.GENEVE: 6081}
VNIS = (0, 1, 42, 77, 4095, 1 << 23, (1 << 24) - 2, (1 << 24) - 1)
# RFC 7348 (I), no flag, with GBP's G, with GPE's P and version, remote checksum offload, all of them
VXLAN_FLAGS = (0x08, 0x00, 0x88, 0x0C, 0x28, 0xFF)
TEB = 0x6558  # an Ethernet frame follows
OPTION, CRITICAL = bytes.fromhex("0102 0a01 deadbeef"), bytes.fromhex("0102 8a01 deadbeef")
# Options, flags (O, C) and version
GENEVE_FORMS = ((b"", 0, 0), (OPTION, 0, 0), (CRITICAL, 0x40, 0), (CRITICAL, 0, 0), (b"", 0x80, 0), (b"", 0, 1))


def headers(kind: str, vni: int) -> list[bytes]:
    """All forms of the header with a VNI."""
    if kind == tunnel_devices.VXLAN:
        return [struct.pack("!II", flags << 24, vni << 8) for flags in VXLAN_FLAGS]
    return [
        struct.pack("!BBHI", version << 6 | len(options) // 4, flags, TEB, vni << 8) + options
        for options, flags, version in GENEVE_FORMS
    ]


def injected(network: Topology, kind: str, mac: str) -> tuple[int, int]:
    """How many datagrams were sent inside, and how many arrive in local sockets. `mac` is the tunnel device's.

    They come by eth1 of ours, which must have its overlay addresses.
    """
    to, router = network.mac("ours", "eth1"), network.mac("router", "to-ours1")
    sent = arrived = 0
    with (
        network.router.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire,
        Listener(network, 4) as v4,
        Listener(network, 6) as v6,
    ):
        wire.bind(("to-ours1", 0))
        for outer, inner in product((4, 6), (4, 6)):
            for destination in (mac, "ff:ff:ff:ff:ff:ff", network.mac("ours")):
                inside = Ether(src="02:00:00:00:10:01", dst=destination) / inner_datagram(inner, b"injected")
                for header in (h for vni in VNIS for h in headers(kind, vni)):
                    around = ip_layer(PLAN["far"].underlay[outer], SECOND_UPLINK.underlay[outer])
                    udp = UDP(sport=50000, dport=PORTS[kind], chksum=0)
                    wire.send(bytes(Ether(src=router, dst=to) / around / udp / Raw(header + bytes(inside))))
                    sent += 1
        for listener in (v4, v6):
            while listener.receive(timeout=0.3) is not None:
                arrived += 1
    return sent, arrived

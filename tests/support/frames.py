"""Frames built by scapy: the independent hand that writes tunnel packets, right and wrong ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

from .kernel_vxlan import OVERLAY_MACS, PORT
from .overlay import VNI
from .topology import PLAN, Topology

INNER_PORT = 7100


def ip_layer(source: object, destination: object, tos: int = 0, **more: Any) -> Any:
    """An IPv4 or IPv6 header, as the addresses are; `tos` is the whole byte, DSCP and ECN."""
    if ":" in str(source):
        return IPv6(src=str(source), dst=str(destination), tc=tos, **more)
    return IP(src=str(source), dst=str(destination), tos=tos, **more)


def inner_datagram(inner: int, payload: bytes, tos: int = 0, port: int = INNER_PORT, role: str = "far") -> Any:
    """An IP packet with UDP from a host's overlay address to ours."""
    source, destination = PLAN[role].overlay[inner], PLAN["ours"].overlay[inner]
    return ip_layer(source, destination, tos) / UDP(sport=7000, dport=port) / Raw(payload)


@dataclass
class TunnelFrames:
    """Frames as a host of the test network would put on its eth0 for `ours`."""

    topology: Topology
    role: str = "far"

    def vxlan_payload(self, packet: Any, vni: int = VNI, flags: int = 0x08) -> Any:
        """VXLAN and the inner Ethernet header before an inner packet."""
        ether = Ether(src=OVERLAY_MACS[self.role], dst=self.topology.mac("ours"))
        return VXLAN(flags=flags, vni=vni) / ether / packet

    def vxlan(
        self, packet: Any, outer: int = 4, vni: int = VNI, tos: int = 0, source: object = None, flags: int = 0x08
    ) -> Any:
        """A whole tunnel packet from the outer IP header on."""
        address = PLAN[self.role].underlay[outer] if source is None else source
        # The sums that the kernel's device sends by default: none on IPv4, and here none on IPv6.
        udp = UDP(sport=50000, dport=PORT, chksum=0)
        return ip_layer(address, PLAN["ours"].underlay[outer], tos) / udp / self.vxlan_payload(packet, vni, flags)

    def frame(self, packet: Any) -> bytes:
        """The Ethernet frame to the host's gateway, or to ours when it is on the same segment."""
        to = self.topology.mac("ours") if self.role == "near" else self.topology.mac("router", "wan")
        return bytes(Ether(src=self.topology.mac(self.role), dst=to) / packet)


class Listener:
    """A UDP socket on ours that collects what is delivered, with the TOS byte of each datagram."""

    def __init__(self, topology: Topology, inner: int, port: int = INNER_PORT) -> None:
        import socket

        host = topology.host("ours", inner)
        self._socket = host.namespace.socket(host.family, socket.SOCK_DGRAM)
        if inner == 4:
            self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
        else:
            self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
        self._socket.bind((host.address, port))

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def receive(self, timeout: float) -> tuple[bytes, int] | None:
        """The next datagram and its TOS byte; None when there is none in time."""
        self._socket.settimeout(timeout)
        try:
            data, ancillary, _, _ = self._socket.recvmsg(65536, 64)
        except TimeoutError:
            return None
        return data, ancillary[0][2][0]

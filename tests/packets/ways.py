"""The ways of the examples: which packet gets which headers, each written once for scapy and once for the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import GRE, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

from encap_compile.compile.headers.encode import encode

from .datapath import MAC, OWN
from .inner import SHAPES, SOURCES, packet, sized

EXAMPLES = ("vxlan-overlay", "ipip-sites", "gre-tenants", "two-by-row")

# What the examples' own rows leave out: IPv6 in IPv6.
MORE_ROWS = {
    "vxlan-overlay": {
        "sites": "lon-v6,fd00:10:3::/48,2001:db8::30,02:00:00:00:10:05,0xabcdef\n",
        "vnis": "11259375,7\n",
    },
    "ipip-sites": {"sites": "fd00:10:2::/48,2001:db8::20\n"},
    "gre-tenants": {"tenants": "4097,fd00:1::/64,2001:db8:1::2,4294967295\n", "keys": "4294967295,0xffffffff\n"},
}

SETTINGS = {"vxlan-overlay": (f"vtep_mac={MAC}",)}  # what each machine must say

PROTOCOL = {4: 4, 6: 41}
ETHER_TYPE = {4: 0x0800, 6: 0x86DD}


@dataclass(frozen=True)
class Way:
    """One row's headers for one family of inner packets.

    `kind` is vxlan, ipip or gre; `identifier` the VNI or key. `dscp` selects the rule where rules look at it, `copied`
    says that it goes to the outer header. `protocols`: those that the rule takes, empty for all.
    """

    example: str
    kind: str
    destination: str
    remote: str
    rule: str
    identifier: int = 0
    mac: str = ""
    mark: int = 0
    source: str = ""
    dscp: int = 0
    copied: bool = False
    protocols: tuple[str, ...] = ()
    received_mark: int = 0

    def __str__(self) -> str:
        return f"{self.example}-{self.rule}-{self.inner}in{self.outer}"

    @property
    def inner(self) -> int:
        return ip_address(self.destination).version

    @property
    def outer(self) -> int:
        return ip_address(self.remote).version

    @property
    def overhead(self) -> int:
        return {4: 20, 6: 40}[self.outer] + {"vxlan": 30, "ipip": 0, "gre": 8}[self.kind]

    @property
    def shapes(self) -> list[str]:
        """The inner packets that the rule takes, whatever else it looks at."""
        return [s for s in SHAPES[self.inner] if not self.protocols or s.partition("-")[0] in self.protocols]

    def packet(self, shape: str, ecn: int = 0) -> bytes:
        return packet(shape, self.source or SOURCES[self.inner], self.destination, self.dscp << 2 | ecn)

    def sized(self, length: int) -> bytes:
        return sized(self.source or SOURCES[self.inner], self.destination, length, self.dscp << 2)


WAYS = (
    Way("vxlan-overlay", "vxlan", "10.1.2.3", "192.0.2.10", "sites", 42, "02:00:00:00:10:01"),
    Way("vxlan-overlay", "vxlan", "10.3.1.1", "2001:db8::30", "sites", 42, "02:00:00:00:10:03"),
    Way("vxlan-overlay", "vxlan", "10.3.7.9", "2001:db8::31", "sites", 42, "02:00:00:00:10:04"),
    Way("vxlan-overlay", "vxlan", "fd00:10:1::9", "192.0.2.10", "sites", 42, "02:00:00:00:10:01"),
    Way(
        "vxlan-overlay",
        "vxlan",
        "fd00:10:3::9",
        "2001:db8::30",
        "sites",
        0xABCDEF,
        "02:00:00:00:10:05",
        received_mark=7,
    ),
    Way("ipip-sites", "ipip", "10.1.2.3", "192.0.2.10", "sites", copied=True),
    Way("ipip-sites", "ipip", "10.2.2.3", "2001:db8::20", "sites", dscp=46, copied=True),
    Way("ipip-sites", "ipip", "fd00:10:1::9", "192.0.2.10", "sites", dscp=1, copied=True),
    Way("ipip-sites", "ipip", "fd00:10:2::9", "2001:db8::20", "sites", dscp=63, copied=True),
    Way("gre-tenants", "gre", "10.1.2.3", "192.0.2.1", "tenants", 1001, mark=0x1001, dscp=46),
    Way("gre-tenants", "gre", "10.1.2.3", "2001:db8:1::2", "tenants", 1002, mark=0x1002),
    Way("gre-tenants", "gre", "fd00:2::9", "192.0.2.1", "tenants", 1002, mark=0x1002),
    Way(
        "gre-tenants", "gre", "fd00:1::9", "2001:db8:1::2", "tenants", 0xFFFFFFFF, mark=0x1001, received_mark=0xFFFFFFFF
    ),
    Way("two-by-row", "gre", "10.200.0.1", "192.0.2.1", "voice", 7, dscp=46, received_mark=1),
    Way("two-by-row", "gre", "2001:db8:f::1", "192.0.2.1", "voice", 7, dscp=46),
    Way("two-by-row", "ipip", "203.0.113.9", "2001:db8::4", "bulk", dscp=8, protocols=("tcp", "udp")),
    Way("two-by-row", "ipip", "2001:db8:f::1", "2001:db8::4", "bulk", dscp=1, protocols=("tcp", "udp")),
    Way("two-by-row", "ipip", "203.0.113.9", "192.0.2.2", "lab", source="10.9.1.2"),
    Way("two-by-row", "ipip", "2001:db8:f::1", "192.0.2.2", "lab", source="fd00:9::2"),
)


def by_scapy(way: Way, inner: bytes, port: int = 0) -> bytes:
    """The datagram as scapy builds it, every field named; scapy computes lengths and checksums."""
    return bytes(layers(way, inner, port) / Raw(inner))


def layers(way: Way, inner: bytes, port: int = 0) -> Any:
    """The outer headers as scapy layers."""
    tos = _tos(inner) if way.copied else _tos(inner) & 3
    next_ = {"vxlan": 17, "gre": 47, "ipip": PROTOCOL[way.inner]}[way.kind]
    if way.outer == 4:
        outer = IP(version=4, ihl=5, tos=tos, id=0, flags="DF", frag=0, ttl=64, proto=next_, src=OWN[4], dst=way.remote)
    else:
        outer = IPv6(version=6, tc=tos, fl=0, nh=next_, hlim=64, src=OWN[6], dst=way.remote)
    if way.kind == "ipip":
        return outer
    if way.kind == "gre":
        return outer / GRE(key_present=1, key=way.identifier, proto=ETHER_TYPE[way.inner])
    inner_ether = Ether(dst=way.mac, src=MAC, type=ETHER_TYPE[way.inner])
    return outer / UDP(sport=port, dport=4789, chksum=0) / VXLAN(flags=8, vni=way.identifier) / inner_ether


def by_catalogue(way: Way, inner: bytes, port: int = 0) -> bytes:
    """The datagram as the reference encoder builds it: only what the spec says is given."""
    outer: dict[str, int | str | bytes] = {"source": OWN[way.outer], "destination": way.remote}
    if way.copied:
        outer["dscp"] = "inherit"
    stack: list[tuple[str, Mapping[str, int | str | bytes]]] = [(f"ipv{way.outer}", outer)]
    if way.kind == "gre":
        stack.append(("gre", {"key": way.identifier}))
    if way.kind == "vxlan":
        stack.append(("udp", {"destination_port": 4789, "source_port": port, "checksum": "zero"}))
        stack.append(("vxlan", {"vni": way.identifier}))
        stack.append(("ethernet", {"source": MAC, "destination": way.mac}))
    return encode(stack, inner)


def _tos(packet: bytes) -> int:
    return packet[1] if packet[0] >> 4 == 4 else int.from_bytes(packet[:2], "big") >> 4 & 0xFF

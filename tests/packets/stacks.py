"""Every stack that the grammar of headers accepts, as a spec, by the reference encoder, and by scapy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import GRE, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

from encap_compile.compile.headers.catalogue import FAMILIES, headers
from encap_compile.compile.headers.encode import FieldValue, encode

from .datapath import OWN
from .inner import packet

REMOTE = {4: "192.0.2.1", 6: "2001:db8::1"}
VNI, KEY, OPTION = 0xABCDE, 0x1234567, 0xCAFE
IN_SPEC = {
    "udp": "{checksum: zero}",
    "gre": "{}",
    "gre+key": f"{{key: {KEY}}}",
    "gue": "{}",
    "gue+bare": "{variant: 1}",
    "vxlan": f"{{vni: {VNI}}}",
    "geneve": f"{{vni: {VNI}}}",
    "geneve+options": (
        f"{{vni: {VNI}, options: [{{name: mine, class: 0x0102, type: 0x83, length: 4, value: {OPTION}}}]}}"
    ),
}
PORTS = {"vxlan": 4789, "geneve": 6081, "gue": 6080}
ETHER_TYPES = {"ethernet": 0x6558, 4: 0x0800, 6: 0x86DD}
IP_PROTOCOLS = {"udp": 17, "gre": 47, 4: 4, 6: 41}
SPEC = """\
apiVersion: encap/v1alpha1
name: made
kernel: "{kernel}"
host: {{uplink: device, address: {{type: {family}, default: uplink.address}}}}
attach: {{devices: [host.uplink]}}
encapsulations:
  tun:
    - {outer}: {{source: host.address, destination: endpoint.to, ttl: 64}}
{headers}
endpoints:
  peers:
    key: destination
    fields: {{to: {family}, mac: mac}}
    encapsulation: tun
    rows:
      - {{destination: 10.4.0.0/16, to: "{first}", mac: "02:00:00:00:00:02"}}
      - {{destination: "fd00:4::/32", to: "{first}", mac: "02:00:00:00:00:02"}}
      - {{destination: 10.6.0.0/16, to: "{last}", mac: "02:00:00:00:00:02"}}
      - {{destination: "fd00:6::/32", to: "{last}", mac: "02:00:00:00:00:02"}}
egress: {{rules: [{{name: all, to: peers}}], default: pass, segmentation: off}}
ingress: {{rules: [{{name: back, decapsulate: tun, from: peers.to}}]}}
"""


@dataclass(frozen=True)
class Stack:
    """`outer` is ip, ipv4 or ipv6; `names` are the headers behind it, with `+VARIANT` where it is not the plain one."""

    outer: str
    names: tuple[str, ...]
    kernel: str = "5.10"

    def __str__(self) -> str:
        return "-".join((self.outer, *self.names, self.kernel))

    @property
    def families(self) -> tuple[int, ...]:
        return (4, 6) if self.outer == "ip" else (int(self.outer[-1]),)

    @property
    def segmentable(self) -> bool:
        """Whether the kernel can segment behind it: at most one UDP header has a length that it must write."""
        return self.names.count("udp") < 2

    def spec(self) -> str:
        lines = [
            f"    - {name.partition('+')[0]}: {IN_SPEC.get(name) or _macs(i)}" for i, name in enumerate(self.names)
        ]
        hop = "\n".join(lines)
        outer = "ttl" if self.outer != "ipv6" else "hop_limit"
        ends = {f: REMOTE[f] for f in self.families}
        text = SPEC.format(
            kernel=self.kernel,
            family=self.outer,
            outer=self.outer,
            headers=hop,
            first=ends[self.families[0]],
            last=ends[self.families[-1]],
        )
        return text.replace("ttl: 64", f"{outer}: 64")

    def inner(self, family: int, outer: int, shape: str, back: bool = False) -> bytes:
        """A packet that takes the stack over `outer`, or with `back` one that comes out of it."""
        ours, theirs = ("10.0.0.1", f"10.{outer}.0.1") if family == 4 else ("fd00:10::1", f"fd00:{outer}::1")
        return packet(shape, theirs, ours) if back else packet(shape, ours, theirs)

    def by_catalogue(self, inner: bytes, outer: int, port: int, back: bool = False) -> bytes:
        ends: dict[str, FieldValue] = {"source": OWN[outer], "destination": REMOTE[outer]}
        if back:
            ends = {"source": REMOTE[outer], "destination": OWN[outer]}
        stack: list[tuple[str, Mapping[str, FieldValue]]] = [(f"ipv{outer}", ends)]
        for i, name in enumerate(self.names):
            plain, _, variant = name.partition("+")
            given: dict[str, FieldValue] = {}
            if plain == "udp":
                given = {"source_port": port}
            elif plain in ("vxlan", "geneve"):
                given = {"vni": VNI}
            elif plain == "ethernet":
                source, destination = f"02:00:00:00:01:0{i}", "02:00:00:00:00:02"
                given = {"source": destination if back else source, "destination": source if back else destination}
            if variant == "key":
                given["key"] = KEY
            elif variant == "bare":
                given["variant"] = 1
            elif variant == "options":
                given["options"] = [(0x0102, 0x83, OPTION.to_bytes(4, "big"))]
            stack.append((plain, given))
        return encode(stack, inner)

    def by_scapy(
        self, inner: bytes, outer: int, port: int, back: bool = False, ends: tuple[str, str] = ("", ""), **more: int
    ) -> bytes:
        """`ends` are our own outer address and the other's; `more` are `id` and `ttl`, if not 0 and 64."""
        own, remote = ends if ends[0] else (OWN[outer], REMOTE[outer])
        own, remote = (remote, own) if back else (own, remote)
        version = inner[0] >> 4
        datagram = Raw(inner)
        following: Any = version
        for i, name in reversed(list(enumerate(self.names))):
            plain, _, variant = name.partition("+")
            datagram = self._layer(i, plain, variant, following, port, back) / datagram
            following = plain
        if outer == 4:
            head = IP(
                src=own,
                dst=remote,
                id=more.get("id", 0),
                flags="DF",
                ttl=more.get("ttl", 64),
                proto=IP_PROTOCOLS[following],
            )
        else:
            head = IPv6(src=own, dst=remote, hlim=more.get("ttl", 64), fl=0, nh=IP_PROTOCOLS[following])
        return bytes(head / datagram)

    def _layer(self, i: int, plain: str, variant: str, following: Any, port: int, back: bool) -> Any:
        if plain == "udp":
            return UDP(sport=port, dport=PORTS[following], chksum=0)
        if plain == "gre":
            more = {"key_present": 1, "key": KEY} if variant == "key" else {}
            return GRE(proto=ETHER_TYPES[following], **more)
        if plain == "gue":
            return Raw(b"" if variant == "bare" else bytes([0, IP_PROTOCOLS[following], 0, 0]))
        if plain == "vxlan":
            return VXLAN(flags=8, vni=VNI)
        if plain == "geneve":
            options = bytes.fromhex("01028301") + OPTION.to_bytes(4, "big") if variant == "options" else b""
            head = bytes([len(options) // 4, 0x40 if options else 0]) + ETHER_TYPES[following].to_bytes(2, "big")
            return Raw(head + VNI.to_bytes(3, "big") + b"\0" + options)
        source, destination = f"02:00:00:00:01:0{i}", "02:00:00:00:00:02"
        if back:
            source, destination = destination, source
        return Ether(src=source, dst=destination, type=ETHER_TYPES[following])


def _macs(i: int) -> str:
    return f'{{source: "02:00:00:00:01:0{i}", destination: endpoint.mac}}'


def accepted(most: int) -> Iterator[tuple[str, ...]]:
    """The names of the headers behind the outer one, for every stack of up to `most` headers that the catalogue allows.

    Every variant of a header is one of its own.
    """
    yield from _from("ipv4", (), most - 1)


def _from(last: str, names: tuple[str, ...], left: int) -> Iterator[tuple[str, ...]]:
    known = headers()
    if any(known[last].may_precede(known[family]) for family in FAMILIES):
        yield names
    if not left:
        return
    for name, header in known.items():
        if name in FAMILIES or not known[last].may_precede(header):
            continue
        for variant in (v for v in (*IN_SPEC, "ethernet") if v.partition("+")[0] == name):
            if variant == "gue+bare":
                yield (*names, variant)  # nothing but the inner packet can follow
            else:
                yield from _from(name, (*names, variant), left - 1)

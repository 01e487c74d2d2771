"""A header with numbers of its own for what follows, and fields narrower than a byte: on the wire and back.

VXLAN-GPE (draft-ietf-nvo3-vxlan-gpe) names IPv4, IPv6 and Ethernet as 1, 2 and 3. `quota` is invented: its fields have
3, 13 and 20 bits, and its next protocol stands between others in one word.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from .datapath import MAC, OWN, Datapath
from .inner import frame, packet
from .specs import HEAD
from .test_new_header import MAIN

GPE = """
from ..model import Constant, Field, FromSpec, Header, NextProtocol, Receive, Reserved, Space, Word

NUMBERS = {"ipv4": 1, "ipv6": 2, "ethernet": 3}
HEADER = Header(
    name="vxlan_gpe",
    title="Generic Protocol Extension for VXLAN",
    reference="draft-ietf-nvo3-vxlan-gpe",
    announced_as={Space.UDP_PORT: 4790},
    words=(
        Word(
            "first",
            (
                Field("flags", 8, Constant(0x0C), "I and P", refusal="gpe_flags"),
                Field("reserved", 16, Reserved(), "zero", Receive.IGNORE),
                Field("next", 8, NextProtocol("vxlan_gpe", numbers=NUMBERS), "what follows"),
            ),
        ),
        Word(
            "vni",
            (
                Field("vni", 24, FromSpec("u24", identifies=True), "identifier"),
                Field("reserved2", 8, Reserved(), "zero", Receive.IGNORE),
            ),
            refusal="gpe_vni",
        ),
    ),
)
"""
QUOTA = """
from ..model import Constant, Field, FromSpec, Header, NextProtocol, Receive, Space, Word

HEADER = Header(
    name="quota",
    title="Quota",
    reference="none",
    announced_as={Space.UDP_PORT: 7777},
    words=(
        Word(
            "first",
            (
                Field("version", 3, Constant(5), "always 5"),
                Field("level", 3, FromSpec("u3"), "importance", Receive.IGNORE),
                Field("next", 8, NextProtocol("quota", numbers={"ipv4": 200, "ipv6": 201}), "what follows"),
                Field("share", 13, FromSpec("u13"), "in 8192ths", Receive.IGNORE),
                Field("last", 5, FromSpec("u5", default=0), "the rest", Receive.IGNORE),
            ),
        ),
        Word(
            "second",
            (
                Field("tenant", 20, FromSpec("u20", identifies=True), "whose"),
                Field("more", 12, FromSpec("u12"), "of this host", Receive.IGNORE),
            ),
            refusal="quota_tenant",
        ),
    ),
)
"""
MEASURED = """
from ..model import Constant, Field, Header, Length, NextProtocol, Space, Word

HEADER = Header(
    name="measured",
    title="Measured",
    reference="none",
    announced_as={Space.UDP_PORT: 7778},
    words=(
        Word("type", (Field("type", 16, NextProtocol(Space.ETHERTYPE), "what follows"),)),
        Word("length", (Field("length", 16, Length("payload"), "bytes behind this header"),)),
    ),
)
"""
SPEC = (
    HEAD.replace("address}}", "address}, site: u12}")
    + """
encapsulations:
  routed:
    - ip: {source: host.address, destination: endpoint.to}
    - udp: {checksum: zero}
    - vxlan_gpe: {vni: 5}
  bridged:
    - ip: {source: host.address, destination: endpoint.to}
    - udp: {checksum: zero, destination_port: 4791}
    - vxlan_gpe: {vni: 5}
    - ethernet: {source: host.uplink.mac, destination: "02:00:00:00:00:09"}
  measured:
    - ip: {source: host.address, destination: endpoint.to}
    - udp: {checksum: zero}
    - measured: {}
  counted:
    - ip: {source: host.address, destination: endpoint.to}
    - udp: {checksum: zero}
    - quota: {level: endpoint.level, share: 8191, tenant: endpoint.tenant, more: host.site}
endpoints:
  sites:
    key: destination
    fields: {to: ip, level: u3, tenant: u20}
    encapsulation: [routed, bridged, counted, measured]
    rows:
      - {destination: 10.1.0.0/16, encapsulation: routed, to: 192.0.2.1, level: 0, tenant: 0}
      - {destination: "fd00:1::/32", encapsulation: routed, to: 192.0.2.1, level: 0, tenant: 0}
      - {destination: 10.2.0.0/16, encapsulation: bridged, to: 192.0.2.1, level: 0, tenant: 0}
      - {destination: 10.4.0.0/16, encapsulation: measured, to: 192.0.2.1, level: 0, tenant: 0}
      - {destination: 10.3.0.0/16, encapsulation: counted, to: 192.0.2.1, level: 2, tenant: 0xabcde}
      - {destination: "fd00:3::/32", encapsulation: counted, to: 192.0.2.1, level: 7, tenant: 0xfffff}
  tenants: {key: received.quota.tenant, fields: {mark: u32}, rows: [{received.quota.tenant: 0xabcde, mark: 9}]}
egress: {rules: [{name: all, to: sites}], default: pass, segmentation: off}
ingress:
  rules:
    - {name: measured, decapsulate: measured, from: sites.to}
    - {name: routed, decapsulate: routed, from: sites.to}
    - {name: bridged, decapsulate: bridged, from: sites.to}
    - {name: counted, decapsulate: counted, from: sites.to, lookup: tenants, set_mark: endpoint.mark}
"""
)


def compile_with(folder: Path, spec: str) -> subprocess.CompletedProcess[str]:
    (folder / "protocols").mkdir(exist_ok=True)
    (folder / "protocols" / "vxlan_gpe.py").write_text(GPE)
    (folder / "protocols" / "quota.py").write_text(QUOTA)
    (folder / "protocols" / "measured.py").write_text(MEASURED)
    (folder / "made.yaml").write_text(spec)
    command = [sys.executable, "-c", MAIN, str(folder / "protocols"), str(folder / "made.yaml"), "-o", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Datapath]:
    folder = tmp_path_factory.mktemp("new")
    done = compile_with(folder, SPEC)
    assert done.returncode == 0, done.stdout + done.stderr
    with Datapath(folder / "made", settings=("site=0xabc",)) as loaded:
        yield loaded


def datagram(header: bytes, inner: bytes, port: int, source: int, back: bool = False) -> bytes:
    ends = {"src": "192.0.2.1", "dst": OWN[4]} if back else {"src": OWN[4], "dst": "192.0.2.1"}
    head = IP(id=0, flags="DF", ttl=64, proto=17, **ends)
    return bytes(head / UDP(sport=source, dport=port, chksum=0) / Raw(header) / Raw(inner))


def quota(level: int, next_: int, share: int, tenant: int, more: int, version: int = 5) -> bytes:
    first = version << 29 | level << 26 | next_ << 18 | share << 5
    return first.to_bytes(4, "big") + (tenant << 12 | more).to_bytes(4, "big")


def gpe(number: int) -> bytes:
    return bytes([0x0C, 0, 0, number, 0, 0, 5, 0])


CASES = {
    "IPv4 by 1": ("10.1.0.1", 4790, gpe(1)),
    "IPv6 by 2": ("fd00:1::1", 4790, gpe(2)),
    "Ethernet by 3": ("10.2.0.1", 4791, gpe(3) + bytes(Ether(src=MAC, dst="02:00:00:00:00:09", type=0x0800))),
    "a length that the kernel does not write": ("10.4.0.1", 7778, bytes.fromhex("0800002c")),
    "narrow fields": ("10.3.0.1", 7777, quota(2, 200, 8191, 0xABCDE, 0xABC)),
    "narrow fields, all ones": ("fd00:3::1", 7777, quota(7, 201, 8191, 0xFFFFF, 0xABC)),
}


@pytest.mark.parametrize("name", CASES)
def test_egress(new: Datapath, name: str) -> None:
    destination, port, header = CASES[name]
    inner = packet("tcp", "fd00:10::1" if ":" in destination else "10.0.0.1", destination)
    sent = new.egress(frame(inner)).frame[14:]
    assert sent.hex() == datagram(header, inner, port, int.from_bytes(sent[20:22], "big")).hex()


ARRIVING = {
    "IPv4 by 1": (4790, gpe(1), 4, "ingress_rule_routed"),
    "IPv6 by 2": (4790, gpe(2), 6, "ingress_rule_routed"),
    "IPv6 by 1": (4790, gpe(1), 6, "refused_routed__payload"),
    "Ethernet where IP should be": (4790, gpe(3), 4, "refused_routed__payload"),
    "an unknown number": (4790, gpe(4), 4, "refused_routed__payload"),
    "the protocol number of IP in IP": (4790, gpe(41), 6, "refused_routed__payload"),
    "a frame": (4791, gpe(3) + bytes(Ether(src=MAC, dst=MAC, type=0x0800)), 4, "ingress_rule_bridged"),
    "IP where a frame should be": (4791, gpe(1) + bytes(14), 4, "refused_bridged__vxlan_gpe_first"),
    "a length": (7778, bytes.fromhex("0800002c"), 4, "ingress_rule_measured"),
    "a length too small": (7778, bytes.fromhex("0800002b"), 4, "refused_measured__length"),
    "narrow fields": (7777, quota(7, 200, 1, 0xABCDE, 5), 4, "ingress_rule_counted"),
    "narrow fields and IPv6": (7777, quota(0, 201, 0, 0xABCDE, 5), 6, "ingress_rule_counted"),
    "another version": (7777, quota(7, 200, 1, 0xABCDE, 5, version=4), 4, "refused_counted__quota_first"),
    "the number's neighbours": (7777, quota(7, 72, 1, 0xABCDE, 5), 4, "refused_counted__payload"),
    "another tenant": (7777, quota(7, 200, 1, 0xABCDF, 5), 4, "refused_counted__quota_tenant"),
}


@pytest.mark.parametrize("name", ARRIVING)
def test_ingress(new: Datapath, name: str) -> None:
    port, header, family, counter = ARRIVING[name]
    inner = packet("tcp", "10.9.0.1", "10.0.0.1") if family == 4 else packet("tcp", "fd00:9::1", "fd00::1")
    came = new.ingress(frame(datagram(header, inner, port, 9, back=True)))
    assert list(came.counted) == [counter]
    assert came.frame[14:] == (inner if counter.startswith("ingress") else datagram(header, inner, port, 9, back=True))


@pytest.mark.parametrize(
    ("old", "new_", "code"),
    [
        (", segmentation: off", "", "E560"),
        ("share: 8191", "share: 8192", "E412"),
        ("share: 8191", "share: endpoint.tenant", "E332"),
        ("more: host.site", "more: host.wide", "E332"),
        ("level: endpoint.level", "level: 200", "E412"),
        ("level: 2", "level: 8", "E412"),
        ("tenant: 0xabcde}", "tenant: 0x100000}", "E412"),
        ("level: u3", "level: u8", "E332"),
        ("tenant: u20", "tenant: u32", "E332"),
    ],
)
def test_what_is_too_wide(tmp_path: Path, old: str, new_: str, code: str) -> None:
    assert old in SPEC
    done = compile_with(tmp_path, SPEC.replace(old, new_, 1).replace("site: u12", "site: u12, wide: u13"))
    assert done.returncode == 1
    assert f"error[{code}]" in done.stderr, done.stderr


def test_gso_packets(new: Datapath) -> None:
    """Dropped where a length would be wrong in each segment, and nowhere else."""
    for destination, expected in (("10.4.0.1", "egress_gso"), ("10.3.0.1", "egress_no_headroom")):
        out = new.egress(frame(packet("tcp-odd", "10.0.0.1", destination)), gso_size=50)
        assert list(out.counted) == [expected]  # the kernel takes no GSO packet of BPF_PROG_TEST_RUN

"""A protocol is added by a file: with two that are unknown, a spec compiles, and packets go out and come in."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from scapy.layers.inet import IP, UDP
from scapy.packet import Raw

from .datapath import OWN, Datapath
from .inner import frame, packet
from .specs import HEAD

TUBE = '''
"""Four bytes that name what follows."""

from ..model import Constant, Field, Header, NextProtocol, Space, Word

HEADER = Header(
    name="tube",
    title="Tube",
    reference="none",
    announced_as={Space.UDP_PORT: 6090},
    words=(
        Word(
            "control",
            (
                Field("version", 2, Constant(0), "variant 0"),
                Field("control", 1, Constant(0), "data"),
                Field("length", 5, Constant(0), "no private data"),
                Field("protocol", 8, NextProtocol(Space.IP_PROTOCOL), "what follows"),
                Field("flags", 16, Constant(0), "no flags"),
            ),
        ),
    ),
)
'''
TOY = '''
"""A header of 8 bytes that nobody has heard of."""

from ..model import Constant, Field, FromSpec, Header, NextProtocol, Receive, Reserved, Space, Word

HEADER = Header(
    name="toy",
    title="Toy",
    reference="none",
    announced_as={Space.UDP_PORT: 7777},
    words=(
        Word("magic", (Field("magic", 8, Constant(0xAB), "always"),), refusal="magic"),
        Word("hops", (Field("hops", 8, FromSpec("u8", default=5), "hops", Receive.IGNORE),)),
        Word("type", (Field("type", 16, NextProtocol(Space.ETHERTYPE), "what follows"),)),
        Word(
            "tenant",
            (
                Field("reserved", 8, Reserved(), "zero", Receive.IGNORE),
                Field("tenant", 24, FromSpec("u24", identifies=True), "who"),
            ),
            refusal="tenant",
        ),
    ),
)
'''
RUN = "import sys; from encap_compile.compile.headers import protocols; protocols.__path__.append(sys.argv.pop(1)); "
MAIN = RUN + "from encap_compile.cli import main; main()"
REFERENCE = RUN + (
    "from encap_compile.compile.headers.catalogue import headers; "
    "from encap_compile.compile.headers.encode import encode; "
    "from encap_compile.compile.headers.diagram import diagram; [diagram(headers()[n]) for n in ('toy', 'tube')]; "
    "h = [('ipv4', {'source': '192.0.2.77', 'destination': '192.0.2.1'}), ('udp', {'source_port': 0}), "
    "('toy', {'tenant': 0xabcdef})]; print(encode(h, bytes.fromhex(sys.argv.pop(1))).hex())"
)
SPEC = (
    HEAD
    + """
encapsulations:
  tube: [{ip: {source: host.address, destination: endpoint.to}}, {udp: {checksum: zero}}, {tube: {}}]
  toy:
    - ip: {source: host.address, destination: endpoint.to}
    - udp: {checksum: zero}
    - toy: {tenant: endpoint.tenant}
endpoints:
  sites:
    key: destination
    fields: {to: ip, tenant: u24}
    encapsulation: [tube, toy]
    rows:
      - {destination: 10.1.0.0/16, encapsulation: toy, to: 192.0.2.1, tenant: 0xabcdef}
      - {destination: 10.2.0.0/16, encapsulation: tube, to: 192.0.2.2, tenant: 0}
  tenants: {key: received.toy.tenant, fields: {mark: u32}, rows: [{received.toy.tenant: 0xabcdef, mark: 3}]}
egress: {rules: [{name: all, match: {destination: 10.0.0.0/8}, to: sites}], default: pass}
ingress:
  rules:
    - {name: toy, decapsulate: toy, from: sites.to, lookup: tenants, set_mark: endpoint.mark}
    - {name: tube, decapsulate: tube, from: sites.to}
"""
)


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("new")
    (folder / "protocols").mkdir()
    (folder / "protocols" / "tube.py").write_text(TUBE)
    (folder / "protocols" / "toy.py").write_text(TOY)
    (folder / "made.yaml").write_text(SPEC)
    command = [sys.executable, "-c", MAIN, str(folder / "protocols"), str(folder / "made.yaml"), "-o", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_packets_of_new_protocols(new: Path) -> None:
    inner = packet("tcp", "10.0.0.1", "10.1.0.1")
    with Datapath(new / "made") as datapath:
        out = datapath.egress(frame(inner)).frame[14:]
        port = int.from_bytes(out[20:22], "big")
        head = IP(id=0, flags="DF", ttl=64, proto=17, src=OWN[4], dst="192.0.2.1")
        toy = Raw(bytes.fromhex("ab05080000abcdef"))
        expected = bytes(head / UDP(sport=port, dport=7777, chksum=0) / toy / Raw(inner))
        assert out.hex() == expected.hex()

        command = [sys.executable, "-c", REFERENCE, str(new / "protocols"), inner.hex()]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        assert printed == (out[:20] + bytes(2) + out[22:]).hex()

        other = packet("udp-odd", "10.0.0.1", "10.2.0.1")
        out = datapath.egress(frame(other)).frame[14:]
        assert (
            out[20:].hex() == out[20:22].hex() + "17ca" + f"{12 + len(other):04x}" + "0000" + "00040000" + other.hex()
        )


def test_receiving_new_protocols(new: Path) -> None:
    inner = packet("tcp", "10.1.0.1", "10.0.0.1")

    def arrived(port: int, header: str, source: str = "192.0.2.1") -> bytes:
        head = IP(src=source, dst=OWN[4])
        return frame(head / UDP(sport=9, dport=port, chksum=0) / Raw(bytes.fromhex(header)) / Raw(inner))

    with Datapath(new / "made") as datapath:
        toy = datapath.ingress(arrived(7777, "abff0800ffabcdef"))
        assert (toy.frame[14:], toy.mark, list(toy.counted)) == (inner, 3, ["ingress_rule_toy"])
        for header, counter in (
            ("acff0800ffabcdef", "magic"), ("abff0806ffabcdef", "payload"), ("abff0800ffabcdee", "tenant"),
        ):  # fmt: skip
            given = arrived(7777, header)
            refused = datapath.ingress(given)
            assert (refused.verdict, refused.frame, list(refused.counted)) == (
                "drop",
                given,
                [f"refused_toy__{counter}"],
            )
        tube = datapath.ingress(arrived(6090, "00040000", "192.0.2.2"))
        assert (tube.frame[14:], list(tube.counted)) == (inner, ["ingress_rule_tube"])
        assert datapath.ingress(arrived(6090, "40040000")).verdict == "drop"
        assert datapath.ingress(arrived(6090, "00060000")).verdict == "drop"

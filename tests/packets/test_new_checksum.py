"""A header behind UDP with a checksum over itself: written, checked, and refused by its own name if it is wrong."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from scapy.layers.inet import IP, UDP
from scapy.packet import Raw
from scapy.utils import checksum

from .datapath import OWN, Datapath
from .inner import frame, packet
from .specs import HEAD
from .test_new_header import MAIN

SEALED = """
from ..model import Constant, Field, FromSpec, Header, InternetChecksum, NextProtocol, Receive, Space, Word

HEADER = Header(
    name="sealed",
    title="Sealed",
    reference="none",
    announced_as={Space.UDP_PORT: 7001},
    words=(
        Word(
            "version",
            (
                Field("version", 4, Constant(9), "always 9"),
                Field("level", 4, FromSpec("u4"), "level", Receive.IGNORE),
            ),
        ),
        Word("hops", (Field("hops", 8, FromSpec("u8", default=77), "hops", Receive.IGNORE),)),
        Word("seal", (Field("seal", 16, InternetChecksum(), "over this header", Receive.VERIFY),)),
        Word(
            "tenant",
            (
                Field("mark", 8, Constant(0x5A), "always"),
                Field("tenant", 24, FromSpec("u24", identifies=True), "whose"),
            ),
        ),
        Word("entropy", (Field("entropy", 16, FromSpec("u16", keywords=("flow",)), "of the flow", Receive.IGNORE),)),
        Word("next", (Field("next", 16, NextProtocol(Space.ETHERTYPE), "what follows"),)),
    ),
)
"""
SPEC = (
    HEAD
    + """
encapsulations:
  sealed:
    - ip: {source: host.address, destination: endpoint.to}
    - udp: {checksum: zero}
    - sealed: {level: endpoint.level, tenant: endpoint.tenant, entropy: flow}
endpoints:
  sites:
    key: destination
    fields: {to: ip, tenant: u24, level: u4}
    encapsulation: sealed
    rows:
      - {destination: 10.1.0.0/16, to: 192.0.2.1, tenant: 0xabcdef, level: 3}
      - {destination: 10.2.0.0/16, to: 192.0.2.1, tenant: 0, level: 15}
      - {destination: 10.3.0.0/16, to: 192.0.2.1, tenant: 0xffffff, level: 0}
  tenants: {key: received.sealed.tenant, fields: {mark: u32}, rows: [{received.sealed.tenant: 0xabcdef, mark: 3}]}
egress: {rules: [{name: all, match: {destination: 10.0.0.0/8}, to: sites}], default: pass}
ingress: {rules: [{name: back, decapsulate: sealed, from: sites.to, lookup: tenants, set_mark: endpoint.mark}]}
"""
)


def sealed(level: int, tenant: int, entropy: bytes, hops: int = 77) -> bytes:
    words = (0x5A << 24 | tenant).to_bytes(4, "big") + entropy + b"\x08\x00"
    first = bytes((9 << 4 | level, hops))
    return first + checksum(first + b"\0\0" + words).to_bytes(2, "big") + words


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Datapath]:
    folder = tmp_path_factory.mktemp("new")
    (folder / "protocols").mkdir()
    (folder / "protocols" / "sealed.py").write_text(SEALED)
    (folder / "made.yaml").write_text(SPEC)
    command = [sys.executable, "-c", MAIN, str(folder / "protocols"), str(folder / "made.yaml"), "-o", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    with Datapath(folder / "made") as datapath:
        yield datapath


@pytest.mark.parametrize(("net", "level", "tenant"), [(1, 3, 0xABCDEF), (2, 15, 0), (3, 0, 0xFFFFFF)])
@pytest.mark.parametrize("shape", ["tcp", "udp-odd"])
def test_what_is_sent(made: Datapath, net: int, level: int, tenant: int, shape: str) -> None:
    inner = packet(shape, "10.0.0.1", f"10.{net}.0.1")
    sent = made.egress(frame(inner)).frame[14:]
    assert sent[28:40].hex() == sealed(level, tenant, sent[36:38]).hex()
    assert sent[40:] == inner


def test_what_comes_in(made: Datapath) -> None:
    inner = packet("tcp", "10.1.0.1", "10.0.0.1")
    right = sealed(3, 0xABCDEF, b"\x12\x34", hops=5)

    def comes(header: bytes) -> tuple[str, list[str]]:
        outer = IP(src="192.0.2.1", dst=OWN[4]) / UDP(sport=9, dport=7001, chksum=0)
        out = made.ingress(frame(bytes(outer / Raw(header + inner))))
        assert out.verdict == "drop" or (out.frame[14:], out.mark) == (inner, 3)
        return out.verdict, list(out.counted)

    assert comes(right) == ("pass", ["ingress_rule_back"])
    for byte, bit in ((1, 1), (2, 0x80), (3, 1), (8, 4), (9, 0x40)):
        wrong = bytearray(right)
        wrong[byte] ^= bit
        assert comes(bytes(wrong)) == ("drop", ["refused_sealed__sealed_seal"])

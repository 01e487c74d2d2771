"""A header with two fields of a word that each machine says: what comes in must have both."""

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
from .test_new_header import MAIN

ZONED = '''
"""Four bytes: where a packet comes from, and what follows."""

from ..model import Field, FromSpec, Header, NextProtocol, Space, Word

HEADER = Header(
    name="zoned",
    title="Zoned",
    reference="none",
    announced_as={Space.UDP_PORT: 7778},
    words=(
        Word(
            "where",
            (Field("region", 8, FromSpec("u8"), "region"), Field("zone", 8, FromSpec("u8"), "zone")),
            refusal="where",
        ),
        Word("type", (Field("type", 16, NextProtocol(Space.ETHERTYPE), "what follows"),)),
    ),
)
'''
SPEC = (
    HEAD.replace("host: {", "host: {region: u8, zone: u8, ")
    + """
encapsulations:
  zoned:
    - ip: {source: host.address, destination: endpoint.to}
    - udp: {checksum: zero}
    - zoned: {region: host.region, zone: host.zone}
endpoints:
  sites: {key: destination, fields: {to: ip}, encapsulation: zoned, rows: [{destination: 10.1.0.0/16, to: 192.0.2.1}]}
egress: {rules: [{name: all, match: {destination: 10.0.0.0/8}, to: sites}], default: pass}
ingress: {rules: [{name: zoned, decapsulate: zoned, from: sites.to}]}
"""
)


@pytest.fixture(scope="module")
def zoned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("zoned")
    (folder / "protocols").mkdir()
    (folder / "protocols" / "zoned.py").write_text(ZONED)
    (folder / "made.yaml").write_text(SPEC)
    command = [sys.executable, "-c", MAIN, str(folder / "protocols"), str(folder / "made.yaml"), "-o", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "made"


def test_both_host_values_of_a_word_are_compared(zoned: Path) -> None:
    inner = packet("tcp", "10.1.0.1", "10.0.0.1")
    with Datapath(zoned, settings=("region=7", "zone=9")) as datapath:
        for where, expected in (
            ("0709", ("pass", ["ingress_rule_zoned"])),
            ("0609", ("drop", ["refused_zoned__where"])),
            ("0708", ("drop", ["refused_zoned__where"])),
        ):
            header = Raw(bytes.fromhex(f"{where}0800"))
            outer = IP(src="192.0.2.1", dst=OWN[4]) / UDP(sport=9, dport=7778, chksum=0) / header / Raw(inner)
            outcome = datapath.ingress(frame(outer))
            assert (outcome.verdict, list(outcome.counted)) == expected, where

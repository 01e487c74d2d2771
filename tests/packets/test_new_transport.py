"""A header right behind IP that the kernel knows no segmentation of: EtherIP (RFC 3378), described for the test."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from .arriving import limited
from .datapath import MAC, OWN, Datapath
from .inner import frame, packet
from .specs import HEAD
from .stacks import REMOTE
from .test_new_header import MAIN

ETHERIP = """
from ..model import Constant, Field, Header, Receive, Reserved, Space, Word

HEADER = Header(
    name="etherip",
    title="Ethernet within IP",
    reference="RFC 3378",
    announced_as={Space.IP_PROTOCOL: 97},
    carries=("ethernet",),
    words=(
        Word(
            "version",
            (
                Field("version", 4, Constant(3), "always 3"),
                Field("reserved", 12, Reserved(), "zero, ignored on receive", Receive.IGNORE),
            ),
            refusal="etherip_version",
        ),
    ),
)
"""
SPEC = (
    HEAD
    + """
encapsulations:
  etherip:
    - ip: {source: host.address, destination: endpoint.to}
    - etherip: {}
    - ethernet: {source: host.uplink.mac, destination: "02:00:00:00:00:02"}
endpoints:
  sites:
    key: destination
    fields: {to: ip}
    encapsulation: etherip
    rows: [{destination: 10.4.0.0/16, to: 192.0.2.1}, {destination: 10.6.0.0/16, to: "2001:db8::1"}]
egress: {rules: [{name: all, match: {destination: 10.0.0.0/8}, to: sites}], default: pass, segmentation: off}
ingress: {rules: [{name: back, decapsulate: etherip, from: sites.to}]}
"""
)


def compile_with(folder: Path, spec: str) -> subprocess.CompletedProcess[str]:
    (folder / "protocols").mkdir(exist_ok=True)
    (folder / "protocols" / "etherip.py").write_text(ETHERIP)
    (folder / "made.yaml").write_text(spec)
    command = [sys.executable, "-c", MAIN, str(folder / "protocols"), str(folder / "made.yaml"), "-o", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Datapath]:
    folder = tmp_path_factory.mktemp("new")
    done = compile_with(folder, SPEC)
    assert done.returncode == 0, done.stdout + done.stderr
    with Datapath(folder / "made") as datapath:
        yield datapath


def datagram(outer: int, ends: tuple[str, str], macs: tuple[str, str], inner: bytes, head: bytes) -> bytes:
    ether = Ether(src=macs[0], dst=macs[1], type=0x0800) / Raw(inner)
    if outer == 4:
        return bytes(IP(src=ends[0], dst=ends[1], id=0, flags="DF", ttl=64, proto=97) / Raw(head) / ether)
    return bytes(IPv6(src=ends[0], dst=ends[1], hlim=64, nh=97) / Raw(head) / ether)


@pytest.mark.parametrize("outer", [4, 6])
def test_packets(loaded: Datapath, outer: int) -> None:
    inner = packet("tcp", "10.0.0.1", f"10.{outer}.0.1")
    sent = loaded.egress(frame(inner)).frame[14:]
    ends = (OWN[outer], REMOTE[outer])
    assert sent.hex() == datagram(outer, ends, (MAC, "02:00:00:00:00:02"), inner, b"\x30\0").hex()
    for head, counter in ((b"\x30\0", "ingress_rule_back"), (b"\x3f\xff", "ingress_rule_back"), (b"\x40\0", "refused")):
        back = datagram(outer, ends[::-1], ("02:00:00:00:00:02", MAC), inner, head)
        for given in (frame(back), limited(frame(back))) if outer == 6 else (frame(back),):
            came = loaded.ingress(given)
            assert [name.startswith(counter) for name in came.counted] == [True]
            assert came.frame[14:] == (inner if counter != "refused" else given[14:])


@pytest.mark.parametrize("outer", [4, 6])
def test_gso_packets_are_dropped(loaded: Datapath, outer: int) -> None:
    given = frame(packet("tcp-odd", "10.0.0.1", f"10.{outer}.0.1"))
    out = loaded.egress(given, gso_size=50)
    assert (out.verdict, list(out.counted), out.frame) == ("drop", ["egress_gso"], given)


def test_the_spec_must_say_so(tmp_path: Path) -> None:
    done = compile_with(tmp_path, SPEC.replace(", segmentation: off", ""))
    assert done.returncode == 1
    assert "error[E560]" in done.stderr
    assert "what stands behind etherip" in done.stderr

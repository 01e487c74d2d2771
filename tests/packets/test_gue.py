"""GUE: what leaves is what the draft draws, what is not right is refused by name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.packet import Raw

from encap_compile.compile.headers.encode import encode

from .datapath import OWN, Datapath
from .inner import frame
from .specs import HEAD, Compile

SPEC = (
    HEAD
    + """
encapsulations:
  gue: [{ip: {source: host.address, destination: endpoint.to}}, {udp: {checksum: zero}}, {gue: %s}]
endpoints:
  sites:
    key: destination
    fields: {to: ip}
    encapsulation: gue
    rows:
      - {destination: 10.2.0.0/16, to: 192.0.2.2}
      - {destination: 10.6.0.0/16, to: "2001:db8::2"}
      - {destination: "fd00:2::/32", to: 192.0.2.2}
      - {destination: "fd00:6::/32", to: "2001:db8::2"}
egress: {rules: [{name: sites, match: {destination: [10.0.0.0/8, "fd00::/16"]}, to: sites}], default: pass}
ingress: {rules: [{name: peers, decapsulate: gue, from: sites.to}]}
"""
)
REMOTE = {4: "192.0.2.2", 6: "2001:db8::2"}
WAYS = [(outer, inner) for outer in (4, 6) for inner in (4, 6)]
PROTOCOL = {4: 4, 6: 41}


def inner_packet(outer: int, family: int, answer: bool = False) -> bytes:
    """A packet to the site that is reached over `outer`, or from there."""
    site = 2 if outer == 4 else 6
    ends = ("10.1.0.1", f"10.{site}.0.1") if family == 4 else ("fd00:1::1", f"fd00:{site}::1")
    source, destination = reversed(ends) if answer else ends
    head = IP(src=source, dst=destination) if family == 4 else IPv6(src=source, dst=destination)
    return bytes(head / UDP(sport=1, dport=2) / (b"data" * 5))


def outer_packet(family: int, source: str, destination: str, payload: bytes, port: int = 50000) -> bytes:
    udp = UDP(sport=port, dport=6080, chksum=0) / Raw(payload)
    if family == 4:
        return bytes(IP(src=source, dst=destination, ttl=64, id=0, flags="DF") / udp)
    packet = bytearray(bytes(IPv6(src=source, dst=destination, hlim=64) / udp))
    packet[46:48] = bytes(2)  # scapy takes a zero for "compute it"
    return bytes(packet)


@pytest.fixture(scope="module")
def gue(compiled: Compile) -> Iterator[Datapath]:
    with Datapath(compiled(SPEC % "{}")) as loaded:
        yield loaded


@pytest.fixture(scope="module")
def bare(compiled: Compile) -> Iterator[Datapath]:
    with Datapath(compiled(SPEC % "{variant: 1}")) as loaded:
        yield loaded


def sends(datapath: Datapath, outer: int, inner: int, header: bytes, fields: dict[str, int]) -> None:
    packet = inner_packet(outer, inner)
    outcome = datapath.egress(frame(packet))
    assert outcome.verdict == "pass"
    sent = outcome.frame[14:]
    at = 20 if outer == 4 else 40
    port = int.from_bytes(sent[at : at + 2], "big")
    assert port >= 49152
    assert sent.hex() == outer_packet(outer, OWN[outer], REMOTE[outer], header + packet, port).hex()
    addresses = {"source": OWN[outer], "destination": REMOTE[outer]}
    stack = [(f"ipv{outer}", addresses), ("udp", {"source_port": port, "checksum": 0}), ("gue", fields)]
    assert sent.hex() == encode(stack, packet).hex()


@pytest.mark.parametrize(("outer", "inner"), WAYS)
def test_sends(gue: Datapath, outer: int, inner: int) -> None:
    sends(gue, outer, inner, bytes((0, PROTOCOL[inner], 0, 0)), {})


@pytest.mark.parametrize(("outer", "inner"), WAYS)
def test_sends_variant_1(bare: Datapath, outer: int, inner: int) -> None:
    sends(bare, outer, inner, b"", {"variant": 1})


@pytest.mark.parametrize(("outer", "inner"), WAYS)
def test_receives(gue: Datapath, outer: int, inner: int) -> None:
    packet = inner_packet(outer, inner, answer=True)
    header = bytes((0, PROTOCOL[inner], 0, 0))
    outcome = gue.ingress(frame(outer_packet(outer, REMOTE[outer], OWN[outer], header + packet)))
    assert outcome.frame == frame(packet)
    assert set(outcome.counted) == {"ingress_rule_peers"}


@pytest.mark.parametrize(("outer", "inner"), WAYS)
def test_receives_variant_1(bare: Datapath, outer: int, inner: int) -> None:
    packet = inner_packet(outer, inner, answer=True)
    outcome = bare.ingress(frame(outer_packet(outer, REMOTE[outer], OWN[outer], packet)))
    assert outcome.frame == frame(packet)
    assert set(outcome.counted) == {"ingress_rule_peers"}


@pytest.mark.parametrize("outer", [4, 6])
@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("40040000", "gue_variant"),
        ("80040000", "gue_variant"),
        ("20040000", "gue_control"),
        ("01040000" + "00000000", "gue_private"),
        ("1f040000" + "00" * 124, "gue_private"),
        ("00048000", "gue_flags"),
        ("00040001", "gue_flags"),
        ("003b0000", "payload"),  # no next header
        ("00290000", "payload"),  # says IPv6, is IPv4
        ("002f0000", "payload"),  # GRE
    ],
)
def test_refuses(gue: Datapath, outer: int, header: str, reason: str) -> None:
    payload = bytes.fromhex(header) + inner_packet(outer, 4, answer=True)
    given = frame(outer_packet(outer, REMOTE[outer], OWN[outer], payload))
    outcome = gue.ingress(given)
    assert (outcome.verdict, outcome.frame, set(outcome.counted)) == ("drop", given, {f"refused_gue__{reason}"})


@pytest.mark.parametrize("outer", [4, 6])
@pytest.mark.parametrize("first", ["00040000", "20040000", "50", "70", "f0"])
def test_variant_1_refuses(bare: Datapath, outer: int, first: str) -> None:
    """Anything that is not an IP packet, variant 0 among it."""
    payload = bytes.fromhex(first) + inner_packet(outer, 4, answer=True)
    given = frame(outer_packet(outer, REMOTE[outer], OWN[outer], payload))
    outcome = bare.ingress(given)
    assert (outcome.verdict, outcome.frame, set(outcome.counted)) == ("drop", given, {"refused_gue__payload"})

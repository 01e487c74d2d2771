"""Geneve without options of our own: what leaves is what scapy builds, what is not right is refused by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from scapy.contrib.geneve import GENEVE, GeneveOptions
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from encap_compile.compile.headers.encode import encode

from .datapath import MAC, OWN, Datapath
from .inner import frame
from .specs import HEAD, Compile

SPEC = (
    HEAD
    + """
encapsulations:
  geneve:
    - ip: {source: host.address, destination: endpoint.to}
    - udp: {checksum: zero}
    - geneve: {vni: 0xabcdef}
  frames:
    - ip: {source: host.address, destination: endpoint.to}
    - udp: {checksum: zero, destination_port: 7777}
    - geneve: {vni: endpoint.vni}
    - ethernet: {source: host.uplink.mac, destination: endpoint.mac}
endpoints:
  sites:
    key: destination
    fields: {to: ip, vni: u24, mac: mac}
    encapsulation: [geneve, frames]
    rows:
      - {destination: 10.2.0.0/16, encapsulation: geneve, to: 192.0.2.2}
      - {destination: 10.6.0.0/16, encapsulation: geneve, to: "2001:db8::2"}
      - {destination: 10.12.0.0/16, encapsulation: frames, to: 192.0.2.2, vni: 77, mac: "02:00:00:00:00:99"}
      - {destination: 10.16.0.0/16, encapsulation: frames, to: "2001:db8::2", vni: 78, mac: "02:00:00:00:00:99"}
      - {destination: "fd00:2::/32", encapsulation: geneve, to: 192.0.2.2}
      - {destination: "fd00:6::/32", encapsulation: geneve, to: "2001:db8::2"}
      - {destination: "fd00:12::/32", encapsulation: frames, to: 192.0.2.2, vni: 77, mac: "02:00:00:00:00:99"}
      - {destination: "fd00:16::/32", encapsulation: frames, to: "2001:db8::2", vni: 78, mac: "02:00:00:00:00:99"}
  vnis: {key: received.geneve.vni, fields: {mark: u32}, rows: [{received.geneve.vni: 77, mark: 7}]}
egress: {rules: [{name: sites, match: {destination: [10.0.0.0/8, "fd00::/16"]}, to: sites}], default: pass}
ingress:
  rules:
    - {name: peers, decapsulate: geneve, from: sites.to}
    - {name: framed, decapsulate: frames, from: sites.to, lookup: vnis, set_mark: endpoint.mark}
"""
)
REMOTE = {4: "192.0.2.2", 6: "2001:db8::2"}
WAYS = [(kind, outer, inner) for kind in ("geneve", "frames") for outer in (4, 6) for inner in (4, 6)]
PORT = {"geneve": 6081, "frames": 7777}
TYPE = {4: 0x0800, 6: 0x86DD}
PEER = "02:00:00:00:00:99"


@pytest.fixture(scope="module")
def geneve(compiled: Compile) -> Iterator[Datapath]:
    with Datapath(compiled(SPEC)) as loaded:
        yield loaded


def inner_packet(kind: str, outer: int, family: int, answer: bool = False) -> bytes:
    """A packet to the site that is reached in this way, or from there."""
    site = (10 if kind == "frames" else 0) + (2 if outer == 4 else 6)
    ends = ("10.1.0.1", f"10.{site}.0.1") if family == 4 else ("fd00:1::1", f"fd00:{site}::1")
    source, destination = reversed(ends) if answer else ends
    head = IP(src=source, dst=destination) if family == 4 else IPv6(src=source, dst=destination)
    return bytes(head / UDP(sport=1, dport=2) / (b"data" * 5))


def outer_packet(family: int, source: str, destination: str, payload: Any, dport: int, sport: int = 50000) -> bytes:
    udp = UDP(sport=sport, dport=dport, chksum=0) / Raw(bytes(payload))
    if family == 4:
        return bytes(IP(src=source, dst=destination, ttl=64, id=0, flags="DF") / udp)
    packet = bytearray(bytes(IPv6(src=source, dst=destination, hlim=64) / udp))
    packet[46:48] = bytes(2)  # scapy takes a zero for "compute it"
    return bytes(packet)


def payload(kind: str, inner: bytes, vni: int, source: str, destination: str, **fields: Any) -> Any:
    type_ = TYPE[inner[0] >> 4]
    if kind == "geneve":
        return GENEVE(**{"vni": vni, "proto": type_, **fields}) / Raw(inner)
    ether = Ether(src=source, dst=destination, type=type_) / Raw(inner)
    return GENEVE(**{"vni": vni, "proto": 0x6558, **fields}) / ether


@pytest.mark.parametrize(("kind", "outer", "inner"), WAYS)
def test_sends(geneve: Datapath, kind: str, outer: int, inner: int) -> None:
    packet = inner_packet(kind, outer, inner)
    outcome = geneve.egress(frame(packet))
    assert outcome.verdict == "pass"
    sent = outcome.frame[14:]
    at = 20 if outer == 4 else 40
    port = int.from_bytes(sent[at : at + 2], "big")
    vni = 0xABCDEF if kind == "geneve" else 77 if outer == 4 else 78
    expected = payload(kind, packet, vni, MAC, PEER)
    assert sent.hex() == outer_packet(outer, OWN[outer], REMOTE[outer], expected, PORT[kind], port).hex()
    addresses = {"source": OWN[outer], "destination": REMOTE[outer]}
    udp = {"source_port": port, "destination_port": PORT[kind], "checksum": 0}
    stack: Any = [(f"ipv{outer}", addresses), ("udp", udp), ("geneve", {"vni": vni})]
    if kind == "frames":
        stack.append(("ethernet", {"source": MAC, "destination": PEER}))
    assert sent.hex() == encode(stack, packet).hex()


OPTIONS: dict[str, list[Any]] = {
    "none": [],
    "one": [GeneveOptions(classid=1, type=1, data=b"abcd")],
    "empty": [GeneveOptions(classid=1, type=0x7F, data=b"")],
    "three": [GeneveOptions(classid=i, type=i, data=bytes(4 * i)) for i in (1, 2, 3)],
    "longest": [GeneveOptions(classid=1, type=1, data=bytes(124)), GeneveOptions(classid=1, type=1, data=bytes(120))],
    "most": [GeneveOptions(classid=1, type=i, data=b"") for i in range(63)],
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
@pytest.mark.parametrize(("kind", "outer", "inner"), WAYS)
def test_receives(geneve: Datapath, kind: str, outer: int, inner: int, options: list[Any]) -> None:
    """Options that nobody asked for are passed over, however many."""
    packet = inner_packet(kind, outer, inner, answer=True)
    vni = 0xABCDEF if kind == "geneve" else 77
    # What is reserved is ignored, and so is the flag for critical options: the options themselves say it.
    given = payload(kind, packet, vni, PEER, MAC, options=options, critical=1, reserved=0x3F, reserved2=0xFF)
    outcome = geneve.ingress(frame(outer_packet(outer, REMOTE[outer], OWN[outer], given, PORT[kind])))
    assert outcome.frame == frame(packet)
    assert set(outcome.counted) == {"ingress_rule_peers" if kind == "geneve" else "ingress_rule_framed"}
    assert outcome.mark == (0 if kind == "geneve" else 7)


CRITICAL = GeneveOptions(classid=1, type=0x81, data=b"abcd")
WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("version", {"version": 1}, "geneve_version"),
    ("control", {"oam": 1}, "geneve_control"),
    ("critical", {"options": [CRITICAL]}, "geneve_options_critical"),
    ("critical, not flagged", {"options": [CRITICAL], "critical": 0}, "geneve_options_critical"),
    ("critical at the end", {"options": [*OPTIONS["three"], CRITICAL]}, "geneve_options_critical"),
    ("option too long", {"options": [GeneveOptions(classid=1, type=1, length=2, data=b"abcd")]}, "geneve_options"),
    ("last too long", {"options": [*OPTIONS["three"], GeneveOptions(length=1, data=b"")]}, "geneve_options"),
    ("header too short", {"options": OPTIONS["one"], "optionlen": 1}, "geneve_options"),
    ("unknown protocol", {"proto": 0x88B5}, "payload"),
]


@pytest.mark.parametrize("outer", [4, 6])
@pytest.mark.parametrize("kind", ["geneve", "frames"])
@pytest.mark.parametrize(("name", "fields", "reason"), WRONG, ids=[w[0] for w in WRONG])
def test_refuses(geneve: Datapath, kind: str, outer: int, name: str, fields: dict[str, Any], reason: str) -> None:
    packet = inner_packet(kind, outer, 4, answer=True)
    vni = 0xABCDEF if kind == "geneve" else 77
    wrong = payload(kind, packet, vni, PEER, MAC, **fields)
    given = frame(outer_packet(outer, REMOTE[outer], OWN[outer], wrong, PORT[kind]))
    outcome = geneve.ingress(given)
    if (kind, reason) == ("frames", "payload"):
        reason = "geneve_protocol"  # a frame must follow, and what is in that is another question
    assert (outcome.verdict, outcome.frame, set(outcome.counted)) == ("drop", given, {f"refused_{kind}__{reason}"})


@pytest.mark.parametrize(("kind", "vni", "reason"), [("geneve", 1, "geneve_vni"), ("frames", 79, "geneve_vni")])
def test_refuses_other_networks(geneve: Datapath, kind: str, vni: int, reason: str) -> None:
    wrong = payload(kind, inner_packet(kind, 4, 4, answer=True), vni, PEER, MAC)
    outcome = geneve.ingress(frame(outer_packet(4, REMOTE[4], OWN[4], wrong, PORT[kind])))
    assert (outcome.verdict, set(outcome.counted)) == ("drop", {f"refused_{kind}__{reason}"})


def test_refuses_frames_for_others(geneve: Datapath) -> None:
    """And what the frame says it carries must be there."""
    inner = inner_packet("frames", 4, 4, answer=True)
    for wrong, reason in (
        (payload("frames", inner, 77, PEER, "02:00:00:00:00:55", options=OPTIONS["three"]), "ethernet_destination"),
        (GENEVE(vni=77, proto=0x6558) / Ether(src=PEER, dst=MAC, type=0x0806) / Raw(inner), "payload"),
        (GENEVE(vni=77, proto=0x6558) / Ether(src=PEER, dst=MAC, type=0x86DD) / Raw(inner), "payload"),
    ):
        outcome = geneve.ingress(frame(outer_packet(4, REMOTE[4], OWN[4], wrong, PORT["frames"])))
        assert (outcome.verdict, set(outcome.counted)) == ("drop", {f"refused_frames__{reason}"})


@pytest.mark.parametrize("kind", ["geneve", "frames"])
def test_refuses_what_is_cut_off(geneve: Datapath, kind: str) -> None:
    whole = payload(kind, inner_packet(kind, 4, 4, answer=True), 77, PEER, MAC, options=OPTIONS["longest"])
    packet = outer_packet(4, REMOTE[4], OWN[4], whole, PORT[kind])
    for length in range(28, len(packet)):
        outcome = geneve.ingress(frame(packet[:length]))
        assert outcome.verdict == "drop", length
        vni = "refused_geneve__geneve_vni" if kind == "geneve" else ""
        assert set(outcome.counted) <= {f"refused_{kind}__truncated", f"refused_{kind}__length", vni}, length

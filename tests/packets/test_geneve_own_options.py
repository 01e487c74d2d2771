"""Geneve options whose data the spec or a row says, and Ethernet frames behind options."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from typing import Any

import pytest
from scapy.contrib.geneve import GENEVE
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from .datapath import MAC, OWN, Datapath
from .inner import frame
from .specs import HEAD, Compile
from .test_geneve import outer_packet
from .test_geneve_options import BALANCER, ENIS, OTHERS, option, packet, tunnelled

OWN_VALUES = (
    HEAD.replace("address}}", "address}, site: u32}")
    + """
encapsulations:
  known:
    - ipv4: {source: host.address, destination: endpoint.to}
    - udp: {checksum: zero}
    - geneve:
        vni: 5
        options:
          - {class: 0xffff, type: 0x80, length: 4, name: magic, value: 0xcafe}
          - {class: 0xffff, type: 0x01, length: 12, name: long-one, value: "0x0102030405060708090a0b0c"}
          - {class: 0xffff, type: 0x02, length: 4, name: site, value: host.site}
          - {class: 0xffff, type: 0x03, length: 8, name: tenant, value: endpoint.tenant}
endpoints:
  sites:
    key: destination
    fields: {to: ipv4, tenant: u64}
    encapsulation: known
    rows: [{destination: 203.0.113.0/24, to: 10.0.1.7, tenant: 0x1122334455667788}]
  tenants:
    key: received.geneve.tenant
    fields: {mark: u32}
    rows: [{received.geneve.tenant: 0x1122334455667788, mark: 3}]
egress: {rules: [{name: out, match: {destination: 203.0.113.0/24}, to: sites}], default: pass}
ingress: {rules: [{name: in, decapsulate: known, from: sites.to, lookup: tenants, set_mark: endpoint.mark}]}
"""
)


@pytest.fixture(scope="module")
def known(compiled: Compile) -> Iterator[Datapath]:
    with Datapath(compiled(OWN_VALUES), settings=("site=0x01020304",)) as loaded:
        yield loaded


def of_known(**other: bytes) -> list[Any]:
    data = {
        "magic": bytes.fromhex("0000cafe"),
        "long": bytes(range(1, 13)),
        "site": bytes((1, 2, 3, 4)),
        "tenant": ENIS[0x6000],
        **other,
    }
    types = {"magic": 0x80, "long": 1, "site": 2, "tenant": 3}
    return [option(type_, data[name], class_=0xFFFF) for name, type_ in types.items()]


def test_options_of_our_own(known: Datapath) -> None:
    inner = packet(4)
    outcome = known.egress(frame(inner))
    sent = outcome.frame[14:]
    port = int.from_bytes(sent[20:22], "big")
    geneve = GENEVE(vni=5, proto=0x0800, critical=1, options=of_known()) / Raw(inner)
    assert sent.hex() == outer_packet(4, OWN[4], BALANCER, geneve, 6081, port).hex()


def test_options_of_our_own_come_in(known: Datapath) -> None:
    inner = packet(4)
    for order in permutations(range(4)):
        options = of_known()
        outcome = known.ingress(tunnelled(inner, [options[i] for i in order], vni=5))
        assert (outcome.frame, outcome.mark, set(outcome.counted)) == (frame(inner), 3, {"ingress_rule_in"})


@pytest.mark.parametrize(
    ("name", "reason"), [("magic", "magic"), ("long", "long_one"), ("site", "site"), ("tenant", "tenant")]
)
@pytest.mark.parametrize("at", [0, -1])
def test_options_with_other_data(known: Datapath, name: str, reason: str, at: int) -> None:
    right = next(o.data for o, n in zip(of_known(), ("magic", "long", "site", "tenant"), strict=True) if n == name)
    wrong = bytearray(right)
    wrong[at] ^= 1
    given = tunnelled(packet(4), of_known(**{name: bytes(wrong)}), vni=5)
    outcome = known.ingress(given)
    assert (outcome.verdict, set(outcome.counted)) == ("drop", {f"refused_known__geneve_option_{reason}"})


FRAMES = (
    HEAD
    + """
encapsulations:
  frames:
    - ip: {source: host.address, destination: received.ip.source}
    - udp: {checksum: zero}
    - geneve: {vni: 5, options: [{class: 1, type: 1, length: 4, name: tag, value: received}]}
    - ethernet: {source: host.uplink.mac, destination: received.ethernet.source}
ingress:
  rules: [{name: in, decapsulate: frames, from: [10.0.1.0/24, "2001:db8::/64"],
           learn: {for: replies, capacity: 100, idle: 1h}}]
egress:
  rules: [{name: back, match: {source: 203.0.113.0/24}, reflect: in}]
  default: pass
"""
)


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("others", [[], OTHERS[2:3], OTHERS])
def test_frames_behind_options(compiled: Compile, family: int, others: list[Any]) -> None:
    """What stands behind the options is found, and learned, wherever they end."""
    balancer = BALANCER if family == 4 else "2001:db8::7"
    inner = packet(4)
    answer = bytes(IP(src="203.0.113.1", dst="198.51.100.1") / TCP(sport=443, dport=1000, flags="A") / b"y")
    tag = option(1, b"tag!", class_=1)
    ether = Ether(src="02:00:00:00:00:42", dst=MAC, type=0x0800) / Raw(inner)
    came = GENEVE(vni=5, proto=0x6558, options=[*others, tag]) / ether
    with Datapath(compiled(FRAMES)) as frames:
        outcome = frames.ingress(frame(outer_packet(family, balancer, OWN[family], came, 6081)))
        assert (outcome.frame, set(outcome.counted)) == (frame(inner), {"ingress_rule_in", "flows_learned"})
        sent = frames.egress(frame(answer)).frame[14:]
    at = 20 if family == 4 else 40
    back = Ether(src=MAC, dst="02:00:00:00:00:42", type=0x0800) / Raw(answer)
    geneve = GENEVE(vni=5, proto=0x6558, options=[tag]) / back
    port = int.from_bytes(sent[at : at + 2], "big")
    assert sent.hex() == outer_packet(family, OWN[family], balancer, geneve, 6081, port).hex()

"""What came in is learned, and the answers carry it: with every kind of packet that answers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, fragment
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    ICMPv6TimeExceeded,
    IPv6,
    IPv6ExtHdrFragment,
    fragment6,
)
from scapy.layers.l2 import GRE, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

from .datapath import MAC, OWN, Datapath, Outcome
from .specs import Compile

SPEC = """\
apiVersion: encap/v1alpha1
name: back
kernel: "5.10"
host: {uplink: device, address: {type: ip, default: uplink.address}}
attach: {devices: [host.uplink]}
sets:
  balancers: [192.0.2.0/24, "2001:db8:1::/64"]
  vips: [203.0.113.0/24, "2001:db8:ff::/48"]
encapsulations:
  vxlan:
    - ip: {source: host.address, destination: received.ip.source}
    - udp: {destination_port: 4789, source_port: flow, checksum: zero}
    - vxlan: {vni: received.vxlan.vni}
    - ethernet: {source: host.uplink.mac, destination: received.ethernet.source}
ingress:
  rules:
    - name: from-lb
      decapsulate: vxlan
      from: balancers
      match: {destination: vips}
      learn: {for: DIRECTION, capacity: CAPACITY, idle: IDLE}
egress:
  rules:
    - {name: replies, match: {source: vips}, reflect: from-lb}
    - {name: unlearned, match: {source: vips}, action: drop}
  default: pass
"""
CLIENT = {4: "198.51.100.5", 6: "2001:db8:9::5"}
VIP = {4: "203.0.113.9", 6: "2001:db8:ff::9"}
BALANCER = {4: "192.0.2.7", 6: "2001:db8:1::7"}
OTHER = {4: "192.0.2.8", 6: "2001:db8:1::8"}
PEER_MAC = "02:aa:00:00:00:01"
VNI = 0x123456
FRAME = Ether(dst="02:00:00:00:00:02", src=MAC)  # named, or scapy asks the network for it
FAMILIES = [(inner, outer) for inner in (4, 6) for outer in (4, 6)]


def text(direction: str = "replies", capacity: int = 1000, idle: str = "350s") -> str:
    return SPEC.replace("DIRECTION", direction).replace("CAPACITY", str(capacity)).replace("IDLE", idle)


@pytest.fixture
def back(compiled: Compile) -> Iterator[Datapath]:
    with Datapath(compiled(text())) as datapath:
        yield datapath


def packet(version: int, source: str, destination: str, **more: Any) -> Any:
    return (IP if version == 4 else IPv6)(src=source, dst=destination, **more)


def asking(version: int) -> Any:
    return packet(version, CLIENT[version], VIP[version])


def answering(version: int) -> Any:
    return packet(version, VIP[version], CLIENT[version])


def receive(
    datapath: Datapath, inner: Any, outer: int = 4, balancer: str = "", vni: int = VNI, mark: int = 0
) -> Outcome:
    ip = packet(outer, balancer or BALANCER[outer], OWN[outer])
    tunnel = UDP(sport=50001, dport=4789, chksum=0) / VXLAN(flags=8, vni=vni) / Ether(src=PEER_MAC, dst=MAC) / inner
    return datapath.ingress(bytes(Ether(dst=MAC, src=PEER_MAC) / ip / tunnel), mark=mark)


def send(datapath: Datapath, inner: Any, mark: int = 0) -> Outcome:
    return datapath.egress(bytes(FRAME / inner), mark=mark)


def assert_reflected(outcome: Outcome, inner: Any, outer: int, balancer: str = "", vni: int = VNI) -> None:
    """The frame has the headers that came in, turned round, and the inner packet as it was."""
    assert (outcome.verdict, "egress_rule_replies" in outcome.counted) == ("pass", True)
    found = Ether(outcome.frame)
    ip = found[IP] if outer == 4 else found[IPv6]
    assert (ip.src, ip.dst) == (OWN[outer], balancer or BALANCER[outer])
    assert (found[UDP].dport, found[VXLAN].vni, found[VXLAN].flags) == (4789, vni, 8)
    assert (found[VXLAN].payload.dst, found[VXLAN].payload.src) == (PEER_MAC, MAC)
    assert bytes(found[VXLAN].payload.payload) == bytes(inner)


def assert_unknown(outcome: Outcome, sent: Any) -> None:
    assert outcome.verdict == "drop"
    assert list(outcome.counted) == ["egress_rule_unlearned"]
    assert outcome.frame == bytes(FRAME / sent)


@pytest.mark.parametrize(("inner", "outer"), FAMILIES)
@pytest.mark.parametrize("flags", ["SA", "A", "FA", "R", "RA"])
def test_tcp(back: Datapath, inner: int, outer: int, flags: str) -> None:
    """SYN-ACK, data, FIN, RST: whoever sends it, with or without a socket."""
    answer = answering(inner) / TCP(sport=80, dport=4000, flags=flags) / Raw(b"answer")
    assert_unknown(send(back, answer), answer)
    learned = receive(back, asking(inner) / TCP(sport=4000, dport=80, flags="S"), outer)
    assert set(learned.counted) == {"ingress_rule_from_lb", "flows_learned"}
    assert_reflected(send(back, answer), answer, outer)
    for other in (
        answering(inner) / TCP(sport=80, dport=4001, flags=flags),
        answering(inner) / TCP(sport=81, dport=4000, flags=flags),
        answering(inner) / UDP(sport=80, dport=4000),
    ):
        assert_unknown(send(back, other), other)
    elsewhere = packet(inner, VIP[inner], CLIENT[inner][:-1] + "6") / TCP(sport=80, dport=4000, flags=flags)
    assert_unknown(send(back, elsewhere), elsewhere)


@pytest.mark.parametrize(("inner", "outer"), FAMILIES)
def test_udp_peers_behind_different_encapsulators(back: Datapath, inner: int, outer: int) -> None:
    """One server socket, many peers."""
    for port, balancer, vni in ((5001, BALANCER[outer], 1), (5002, OTHER[outer], 2)):
        receive(back, asking(inner) / UDP(sport=port, dport=53), outer, balancer, vni)
    for port, balancer, vni in ((5001, BALANCER[outer], 1), (5002, OTHER[outer], 2)):
        answer = answering(inner) / UDP(sport=53, dport=port) / Raw(b"answer")
        assert_reflected(send(back, answer), answer, outer, balancer, vni)


def test_echo(back: Datapath) -> None:
    receive(back, asking(4) / ICMP(type=8, id=77, seq=3))
    answer = answering(4) / ICMP(type=0, id=77, seq=3) / Raw(b"answer")
    assert_reflected(send(back, answer), answer, 4)
    other = answering(4) / ICMP(type=0, id=78, seq=3)
    assert_unknown(send(back, other), other)


def test_echo_over_ipv6(back: Datapath) -> None:
    receive(back, asking(6) / ICMPv6EchoRequest(id=77), 6)
    answer = answering(6) / ICMPv6EchoReply(id=77) / Raw(b"answer")
    assert_reflected(send(back, answer), answer, 6)
    other = answering(6) / ICMPv6EchoReply(id=78)
    assert_unknown(send(back, other), other)


@pytest.mark.parametrize("quoted", [UDP(sport=5001, dport=53), TCP(sport=5001, dport=80), ICMP(type=8, id=9)])
@pytest.mark.parametrize(("type_", "code"), [(3, 3), (3, 4), (11, 0), (12, 0)])
def test_icmp_errors(back: Datapath, quoted: Any, type_: int, code: int) -> None:
    """By the tuple of the packet that they quote, also from a router's address in the middle."""
    error = packet(4, "203.0.113.1", CLIENT[4]) / ICMP(type=type_, code=code) / asking(4) / quoted
    assert_unknown(send(back, error), error)
    receive(back, asking(4) / quoted)
    assert_reflected(send(back, error), error, 4)
    other = packet(4, "203.0.113.1", CLIENT[4]) / ICMP(type=type_, code=code) / asking(4) / UDP(sport=1, dport=2)
    assert_unknown(send(back, other), other)
    # What came back about our own answer is not taken for a flow of its own.
    assert "flows_learned" not in receive(back, asking(4) / ICMP(type=3, code=1) / answering(4) / UDP(sport=1)).counted


@pytest.mark.parametrize("error", [ICMPv6DestUnreach(code=4), ICMPv6TimeExceeded()])
@pytest.mark.parametrize("quoted", [UDP(sport=5001, dport=53), TCP(sport=5001, dport=80), ICMPv6EchoRequest(id=9)])
def test_icmpv6_errors(back: Datapath, error: Any, quoted: Any) -> None:
    packet_ = answering(6) / error / asking(6) / quoted
    assert_unknown(send(back, packet_), packet_)
    receive(back, asking(6) / quoted, 6)
    assert_reflected(send(back, packet_), packet_, 6)


def test_cut_off_errors(back: Datapath) -> None:
    """An error that quotes too little belongs to no flow."""
    receive(back, asking(4) / UDP(sport=5001, dport=53))
    whole = bytes(answering(4) / ICMP(type=3, code=3) / asking(4) / UDP(sport=5001, dport=53))
    for length in (24, 28, 40, 48, 51):
        outcome = back.egress(bytes(Ether(dst=MAC, src=MAC, type=0x0800)) + whole[:length])
        assert list(outcome.counted) == ["egress_rule_unlearned"], length


def test_fragments_of_an_answer(back: Datapath) -> None:
    """The later ones show no ports; they go where the first one went."""
    whole = answering(4) / UDP(sport=53, dport=5001) / Raw(bytes(3000))
    whole.id = 4711
    pieces = fragment(whole, 1400)
    assert len(pieces) == 3
    assert_unknown(send(back, pieces[1]), pieces[1])
    receive(back, asking(4) / UDP(sport=5001, dport=53))
    assert_unknown(send(back, pieces[1]), pieces[1])
    for piece in pieces:
        assert_reflected(send(back, piece), piece, 4)
    stranger = pieces[1].copy()
    stranger.id = 4712
    assert_unknown(send(back, stranger), stranger)


def test_fragments_of_an_answer_over_ipv6(back: Datapath) -> None:
    whole = answering(6) / IPv6ExtHdrFragment(id=0x12345678) / UDP(sport=53, dport=5001) / Raw(bytes(3000))
    pieces = fragment6(whole, 1400)
    receive(back, asking(6) / UDP(sport=5001, dport=53), 6)
    for piece in pieces:
        assert_reflected(send(back, piece), piece, 6)
    pieces[1][IPv6ExtHdrFragment].id = 0x12345679
    assert_unknown(send(back, pieces[1]), pieces[1])


def test_an_encapsulator_that_changes(back: Datapath) -> None:
    """The next answer goes the new way: another balancer, another VNI, another outer family."""
    question, answer = asking(4) / UDP(sport=5001, dport=53), answering(4) / UDP(sport=53, dport=5001)
    ways = [(4, BALANCER[4], 1), (4, OTHER[4], 1), (4, OTHER[4], 2), (6, BALANCER[6], 2), (4, BALANCER[4], 1)]
    for number, (outer, balancer, vni) in enumerate(ways):
        counted = receive(back, question, outer, balancer, vni).counted
        assert set(counted) == {"ingress_rule_from_lb", "flows_changed" if number else "flows_learned"}
        assert set(receive(back, question, outer, balancer, vni).counted) == {"ingress_rule_from_lb"}
        assert_reflected(send(back, answer), answer, outer, balancer, vni)


def test_strangers_teach_nothing(back: Datapath) -> None:
    """A source that no rule lists is refused, and so is what is not to one of the VIPs."""
    answer = answering(4) / UDP(sport=53, dport=5001)
    assert list(receive(back, asking(4) / UDP(sport=5001, dport=53), 4, "198.18.0.1").counted) == [
        "refused_vxlan__source"
    ]
    assert_unknown(send(back, answer), answer)
    receive(back, asking(4) / UDP(sport=5001, dport=53))
    receive(back, asking(4) / UDP(sport=5001, dport=53), 4, "198.18.0.1")
    assert_reflected(send(back, answer), answer, 4)


def test_the_mark_is_the_scope(back: Datapath) -> None:
    question, answer = asking(4) / UDP(sport=5001, dport=53), answering(4) / UDP(sport=53, dport=5001)
    receive(back, question, mark=1, vni=1)
    receive(back, question, mark=2, vni=2)
    for mark in (1, 2):
        assert_reflected(send(back, answer, mark), answer, 4, vni=mark)
    assert_unknown(send(back, answer, 3), answer)
    assert_unknown(send(back, answer), answer)


def test_forwarded(compiled: Compile) -> None:
    """What is forwarded keeps its tuple: it is the packet itself that finds its headers again, not what answers it."""
    question, answer = asking(4) / UDP(sport=5001, dport=53), answering(4) / UDP(sport=53, dport=5001)
    for direction, itself, answers in (("replies", False, True), ("forwarded", True, False), ("both", True, True)):
        spec = text(direction).replace("match: {source: vips}", "match: {protocol: udp}")
        with Datapath(compiled(spec)) as datapath:
            receive(datapath, question)
            outcome = send(datapath, question)
            assert ("egress_rule_replies" in outcome.counted) == itself
            if itself:
                assert_reflected(outcome, question, 4)
            assert ("egress_rule_replies" in send(datapath, answer).counted) == answers


def test_idle_flows_are_forgotten(compiled: Compile) -> None:
    """One second is the shortest; what is used stays."""
    answer = answering(4) / UDP(sport=53, dport=5001)
    with Datapath(compiled(text(idle="1s"))) as datapath:
        receive(datapath, asking(4) / UDP(sport=5001, dport=53))
        for _ in range(4):
            time.sleep(0.5)
            assert_reflected(send(datapath, answer), answer, 4)
        time.sleep(1.2)
        assert_unknown(send(datapath, answer), answer)
        assert "flows_learned" in receive(datapath, asking(4) / UDP(sport=5001, dport=53)).counted
        assert_reflected(send(datapath, answer), answer, 4)


def test_a_full_table_says_what_it_gives_up(compiled: Compile) -> None:
    """Every flow is remembered or counted as evicted, and those that are used outlive those that are not."""
    with Datapath(compiled(text(capacity=64))) as datapath:
        kept = asking(4) / UDP(sport=1, dport=53)
        receive(datapath, kept)
        evicted = 0
        for port in range(2, 600):
            counted = receive(datapath, asking(4) / UDP(sport=port, dport=53)).counted
            assert ("flows_learned" in counted) != ("flows_evicted" in counted)
            evicted += "flows_evicted" in counted
            send(datapath, answering(4) / UDP(sport=53, dport=1))
        known = sum(
            "egress_rule_replies" in send(datapath, answering(4) / UDP(sport=53, dport=port)).counted
            for port in range(1, 600)
        )
        assert known + evicted == 599
        assert 64 <= known <= 128
        assert "egress_rule_replies" in send(datapath, answering(4) / UDP(sport=53, dport=1)).counted


@pytest.mark.parametrize(("inner", "outer"), FAMILIES)
@pytest.mark.parametrize("before", [[], [("NOP", None)], [("NOP", None), ("NOP", None)], [("WScale", 7)]])
def test_segments_are_made_to_fit(back: Datapath, inner: int, outer: int, before: list[tuple[str, Any]]) -> None:
    """In a SYN that comes in and a SYN-ACK that goes out, the MSS leaves headroom for the headers; it is not raised."""
    fits = 1500 - {4: 50, 6: 70}[outer] - {4: 40, 6: 60}[inner]
    for given, expected in ((1460, fits), (fits, fits), (536, 536)):
        options = [*before, ("MSS", given), ("SAckOK", b"")]
        arrived = receive(back, asking(inner) / TCP(sport=4000, dport=80, flags="S", options=options), outer)
        assert_mss(Ether(arrived.frame).payload, expected)
        sent = send(back, answering(inner) / TCP(sport=80, dport=4000, flags="SA", options=options))
        assert_mss(Ether(sent.frame)[VXLAN].payload.payload, expected)


def assert_mss(ip: Any, expected: int) -> None:
    assert dict(ip[TCP].options)["MSS"] == expected
    checksum = ip[TCP].chksum
    del ip[TCP].chksum
    assert type(ip)(bytes(ip))[TCP].chksum == checksum


def test_only_a_syn_says_it(back: Datapath) -> None:
    data = asking(4) / TCP(sport=4000, dport=80, flags="A", options=[("MSS", 1460)])
    assert receive(back, data).frame[14:] == bytes(data)


def test_headers_of_another_encapsulation(compiled: Compile) -> None:
    """`with`: what came in by VXLAN goes back by GRE, with the VNI as its key."""
    outer = "{ip: {source: host.address, destination: received.ip.source, dscp: 46}}"
    gre = f"  gre: [{outer}, {{gre: {{key: received.vxlan.vni}}}}]\n"
    spec = (
        text()
        .replace("encapsulations:\n", f"encapsulations:\n{gre}")
        .replace("reflect: from-lb", "reflect: from-lb, with: gre")
    )
    with Datapath(compiled(spec)) as datapath:
        for outer in (4, 6):
            receive(datapath, asking(4) / UDP(sport=5001, dport=53), outer)
            answer = answering(4) / UDP(sport=53, dport=5001) / Raw(b"answer")
            found = Ether(send(datapath, answer).frame)
            ip = found[IP] if outer == 4 else found[IPv6]
            assert (ip.src, ip.dst) == (OWN[outer], BALANCER[outer])
            assert (ip.tos if outer == 4 else ip.tc) == 46 << 2
            assert (found[GRE].key, found[GRE].proto) == (VNI, 0x0800)
            assert bytes(found[GRE].payload) == bytes(answer)


def test_damaged_options(back: Datapath) -> None:
    """Options that lie about their length change nothing and lose nothing."""
    for options in (b"\x02\x03\x05\xb4", b"\x03\x00\x00\x00", b"\x01" * 12, b"\xfe\xff\x02\x04", b"\x02\x04\x05"):
        padded = options + bytes(-len(options) % 4)
        segment = bytes(TCP(sport=4000, dport=80, flags="S", dataofs=5 + len(padded) // 4)) + padded
        question = asking(4) / Raw(segment)
        question.proto = 6
        outcome = receive(back, question)
        assert outcome.verdict == "pass"
        assert outcome.frame[14:] == bytes(question)


@pytest.mark.parametrize(
    ("reply", "overhead"),
    [
        ("[{ip: {source: host.address, destination: received.ip.source}}, {gre: {key: received.vxlan.vni}}]", 50),
        (
            "[{ipv6: {source: host.address, destination: '2001:db8:1::99'}}, "
            "{udp: {destination_port: 4789, checksum: zero}}, {vxlan: {vni: 7}}, "
            "{ethernet: {source: host.uplink.mac, destination: received.ethernet.source}}]",
            70,
        ),
    ],
)
def test_segments_fit_both_ways(compiled: Compile, reply: str, overhead: int) -> None:
    """What comes in is longer by one encapsulation, what goes out by another: the larger counts in each SYN."""
    spec = text().replace("encapsulations:\n", f"encapsulations:\n  other: {reply}\n")
    options = [("MSS", 1460)]
    with Datapath(compiled(spec.replace("reflect: from-lb", "reflect: from-lb, with: other"))) as datapath:
        arrived = receive(datapath, asking(4) / TCP(sport=4000, dport=80, flags="S", options=options))
        assert_mss(Ether(arrived.frame).payload, 1500 - overhead - 40)
        sent = send(datapath, answering(4) / TCP(sport=80, dport=4000, flags="SA", options=options))
        inner = Ether(sent.frame)[VXLAN].payload.payload if overhead == 70 else Ether(sent.frame)[GRE].payload
        assert_mss(inner, 1500 - overhead - 40)

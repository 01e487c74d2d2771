"""GUE private data: it may be of any length, and comes back as it came."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6

from encap_compile.compile.headers.encode import encode

from .datapath import OWN, Datapath, Outcome
from .inner import frame
from .specs import HEAD, Compile
from .test_gue import PROTOCOL, outer_packet

SPEC = (
    HEAD
    + """
sets: {balancers: [192.0.2.0/24, "2001:db8::/64"], vips: [203.0.113.0/24, "2001:db8:ff::/48"]}
encapsulations:
  gue:
    - ip: {source: host.address, destination: received.ip.source}
    - udp: {checksum: zero}
    - gue: {private: received.gue.private}
ingress:
  rules:
    - {name: lb, decapsulate: gue, from: balancers, match: {destination: vips},
       learn: {for: replies, capacity: 1000, idle: 350s}}
egress:
  rules:
    - {name: replies, match: {source: vips}, reflect: lb}
    - {name: unlearned, match: {source: vips}, action: drop}
  default: pass
"""
)
BALANCER = {4: "192.0.2.7", 6: "2001:db8::7"}
CLIENT = {4: "198.51.100.5", 6: "2001:db8:9::1"}
VIP = {4: "203.0.113.9", 6: "2001:db8:ff::9"}
WAYS = [(outer, inner) for outer in (4, 6) for inner in (4, 6)]
LENGTHS = (0, 4, 8, 64, 120, 124)


def private(length: int) -> bytes:
    return bytes(0xFF - i for i in range(length))


def header(family: int, data: bytes) -> bytes:
    return bytes((len(data) // 4, PROTOCOL[family], 0, 0)) + data


@pytest.fixture(scope="module")
def gue(compiled: Compile) -> Iterator[Datapath]:
    with Datapath(compiled(SPEC)) as loaded:
        yield loaded


def request(family: int, port: int, flags: str = "S") -> bytes:
    head = IP(src=CLIENT[4], dst=VIP[4]) if family == 4 else IPv6(src=CLIENT[6], dst=VIP[6])
    return bytes(head / TCP(sport=port, dport=80, flags=flags))


def reply(family: int, port: int, size: int = 5) -> bytes:
    head = IP(src=VIP[4], dst=CLIENT[4]) if family == 4 else IPv6(src=VIP[6], dst=CLIENT[6])
    return bytes(head / TCP(sport=80, dport=port, flags="SA") / (b"x" * size))


def comes(datapath: Datapath, outer: int, payload: bytes) -> Outcome:
    return datapath.ingress(frame(outer_packet(outer, BALANCER[outer], OWN[outer], payload)))


def sent_as(outer: int, inner: bytes, sent: bytes, data: bytes) -> None:
    at = 20 if outer == 4 else 40
    port = int.from_bytes(sent[at : at + 2], "big")
    payload = header(inner[0] >> 4, data) + inner
    assert sent.hex() == outer_packet(outer, OWN[outer], BALANCER[outer], payload, port).hex()
    fields = {"private": data} if data else {}
    addresses = {"source": OWN[outer], "destination": BALANCER[outer]}
    stack = [(f"ipv{outer}", addresses), ("udp", {"source_port": port, "checksum": 0}), ("gue", fields)]
    assert sent.hex() == encode(stack, inner).hex()


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(("outer", "inner"), WAYS)
def test_comes_back(gue: Datapath, outer: int, inner: int, length: int) -> None:
    port = 1000 + length
    outcome = comes(gue, outer, header(inner, private(length)) + request(inner, port))
    assert outcome.frame == frame(request(inner, port))
    assert set(outcome.counted) <= {"ingress_rule_lb", "flows_learned", "flows_changed"}
    answer = reply(inner, port)
    outcome = gue.egress(frame(answer))
    assert (outcome.verdict, set(outcome.counted)) == ("pass", {"egress_rule_replies"})
    sent_as(outer, answer, outcome.frame[14:], private(length))
    assert set(gue.egress(frame(reply(inner, 999))).counted) == {"egress_rule_unlearned"}


@pytest.mark.parametrize(("outer", "inner"), WAYS)
def test_the_newest_counts(gue: Datapath, outer: int, inner: int) -> None:
    """Longer, shorter, other bytes: nothing of the old is left."""
    for number, data in enumerate((private(124), private(8), private(8)[::-1], b"", private(64))):
        outcome = comes(gue, outer, header(inner, data) + request(inner, 2000, "A"))
        flow = "flows_changed" if number else outcome.counted.keys() - {"ingress_rule_lb"}
        assert set(outcome.counted) == {"ingress_rule_lb", *([flow] if isinstance(flow, str) else flow)}
        again = comes(gue, outer, header(inner, data) + request(inner, 2000, "A"))
        assert set(again.counted) == {"ingress_rule_lb"}
        answer = reply(inner, 2000)
        sent_as(outer, answer, gue.egress(frame(answer)).frame[14:], data)


@pytest.mark.parametrize("length", LENGTHS)
def test_the_longest_that_fits(gue: Datapath, length: int) -> None:
    """The MTU counts what came in."""
    comes(gue, 4, header(4, private(length)) + request(4, 3000))
    fits = 1500 - 32 - length - 40
    longest = reply(4, 3000, fits)
    outcome = gue.egress(frame(longest))
    assert set(outcome.counted) == {"egress_rule_replies"}
    sent_as(4, longest, outcome.frame[14:], private(length))
    outcome = gue.egress(frame(reply(4, 3000, fits + 1)))
    assert (outcome.verdict, set(outcome.counted)) == ("drop", {"egress_too_big", "egress_without_df"})


@pytest.mark.parametrize("outer", [4, 6])
@pytest.mark.parametrize(
    ("head", "reason"),
    [
        ("41040000" + "00" * 4, "gue_variant"),
        ("21040000" + "00" * 4, "gue_control"),
        ("01048000" + "00" * 4, "gue_flags"),
        ("01040000", "payload"),  # the first word of the inner packet counts as private data
        ("00040000" + "00" * 4, "payload"),  # the private data stand where the inner packet should
        ("1f040000", "truncated"),
        ("013b0000" + "00" * 4, "payload"),
    ],
)
def test_refuses(gue: Datapath, outer: int, head: str, reason: str) -> None:
    given = frame(outer_packet(outer, BALANCER[outer], OWN[outer], bytes.fromhex(head) + request(4, 1)))
    outcome = gue.ingress(given)
    assert (outcome.verdict, outcome.frame, set(outcome.counted)) == ("drop", given, {f"refused_gue__{reason}"})


@pytest.mark.parametrize("hlen", [0, 1, 31])
@pytest.mark.parametrize("outer", [4, 6])
def test_refuses_what_is_cut_off(gue: Datapath, outer: int, hlen: int) -> None:
    """Every length of the frame up to that of the whole packet."""
    whole = outer_packet(outer, BALANCER[outer], OWN[outer], header(4, private(4 * hlen)) + request(4, 1))
    for length in range(20 if outer == 4 else 40, len(whole)):
        outcome = gue.ingress(frame(whole[:length]))
        if set(outcome.counted):  # else it does not show the port
            reasons = {"refused_gue__truncated", "refused_gue__length"}
            assert outcome.verdict == "drop" and set(outcome.counted) <= reasons, (length, outcome.counted)


def test_refuses_inner_packets_beyond_the_datagram(gue: Datapath) -> None:
    """The lengths of the outer headers end before what hlen says."""
    whole = outer_packet(4, BALANCER[4], OWN[4], header(4, private(64)))
    outcome = gue.ingress(frame(whole + request(4, 1)))
    assert set(outcome.counted) == {"refused_gue__length"}


def test_datagrams_are_learned_too(gue: Datapath) -> None:
    inner = bytes(IP(src=CLIENT[4], dst=VIP[4]) / UDP(sport=53, dport=53) / b"?")
    comes(gue, 6, header(4, private(12)) + inner)
    answer = bytes(IP(src=VIP[4], dst=CLIENT[4]) / UDP(sport=53, dport=53) / b"!")
    sent_as(6, answer, gue.egress(frame(answer)).frame[14:], private(12))

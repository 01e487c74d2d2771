"""Replies to a gateway, whoever the balancer was: by the family that came in, or by the one that the host has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.packet import Raw

from encap_compile.common.diagnostics import Findings
from encap_compile.run.host_values import resolve
from encap_compile.run.loader.bundle import open_bundle
from encap_compile.run.loader.compose import compose
from encap_compile.run.loader.contents import check_stacks, wanted_contents
from encap_compile.run.loader.hostfile import read_settings

from .datapath import OWN, Datapath, Outcome, device
from .inner import frame
from .specs import Compile
from .test_gue_private import header, private
from .test_reflection import assert_mss

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "examples" / "gue-edge.yaml").read_text()
BALANCER = {4: "192.0.2.7", 6: "2001:db8:1::7"}
GATEWAY = {4: "198.18.0.1", 6: "2001:db8:18::1"}
CLIENT = {4: "198.51.100.5", 6: "2001:db8:9::1"}
VIP = {4: "203.0.113.9", 6: "2001:db8:ff::9"}
WAYS = [(outer, inner) for outer in (4, 6) for inner in (4, 6)]
BOTH = f"gateway={GATEWAY[4]},{GATEWAY[6]}"
ONE = {family: f"gateway={GATEWAY[family]}" for family in (4, 6)}
PORT = 50000


def asks(family: int, port: int, **tcp: object) -> bytes:
    head = (IP if family == 4 else IPv6)(src=CLIENT[family], dst=VIP[family])
    return bytes(head / TCP(sport=port, dport=80, **tcp))


def answers(family: int, port: int, tos: int = 0, size: int = 5, **tcp: object) -> bytes:
    head = IP(src=VIP[4], dst=CLIENT[4], tos=tos) if family == 4 else IPv6(src=VIP[6], dst=CLIENT[6], tc=tos)
    return bytes(head / TCP(sport=80, dport=port, **{"flags": "SA", **tcp}) / (b"x" * size))


def outer_packet(family: int, source: str, destination: str, payload: bytes, port: int, tos: int = 0) -> bytes:
    udp = UDP(sport=port, dport=6080, chksum=0) / Raw(payload)
    if family == 4:
        return bytes(IP(src=source, dst=destination, ttl=64, id=0, flags="DF", tos=tos) / udp)
    packet = bytearray(bytes(IPv6(src=source, dst=destination, hlim=64, tc=tos) / udp))
    packet[46:48] = bytes(2)  # scapy takes a zero for "compute it"
    return bytes(packet)


def comes(datapath: Datapath, outer: int, inner: bytes, data: bytes = b"", own: str = "", source: str = "") -> Outcome:
    payload = header(inner[0] >> 4, data) + inner
    return datapath.ingress(frame(outer_packet(outer, source or BALANCER[outer], own or OWN[outer], payload, PORT)))


def sent_to_the_gateway(outcome: Outcome, outer: int, inner: bytes, data: bytes = b"", tos: int = 0) -> None:
    assert (outcome.verdict, set(outcome.counted)) == ("pass", {"egress_rule_replies"})
    sent = outcome.frame[14:]
    at = 20 if outer == 4 else 40
    port = int.from_bytes(sent[at : at + 2], "big")
    payload = header(inner[0] >> 4, data) + inner
    assert sent.hex() == outer_packet(outer, OWN[outer], GATEWAY[outer], payload, port, tos).hex()


@contextmanager
def loaded(compiled: Compile, *settings: str) -> Iterator[Datapath]:
    with Datapath(compiled(TEXT), settings=settings) as datapath:
        yield datapath


@pytest.fixture(scope="module")
def edge(compiled: Compile) -> Iterator[Datapath]:
    with loaded(compiled, BOTH) as datapath:
        yield datapath


@pytest.mark.parametrize("length", [0, 8, 124])
@pytest.mark.parametrize(("outer", "inner"), WAYS)
def test_the_family_that_came_in(edge: Datapath, outer: int, inner: int, length: int) -> None:
    port, data = 1000 + length, private(length)
    answer = answers(inner, port, tos=0xB8)
    unknown = edge.egress(frame(answers(inner, 999)))
    assert (unknown.verdict, set(unknown.counted)) == ("drop", {"egress_rule_vip_unlearned"})
    outcome = comes(edge, outer, asks(inner, port), data)
    assert outcome.frame == frame(asks(inner, port))
    sent_to_the_gateway(edge.egress(frame(answer)), outer, answer, data, tos=0xB8)


@pytest.mark.parametrize("gateway", [4, 6])
@pytest.mark.parametrize(("outer", "inner"), WAYS)
def test_a_gateway_of_one_family(compiled: Compile, gateway: int, outer: int, inner: int) -> None:
    """It gets all replies: what came in by the other family goes by its own."""
    with loaded(compiled, ONE[gateway]) as datapath:
        comes(datapath, outer, asks(inner, 1000), private(12))
        answer = answers(inner, 1000)
        sent_to_the_gateway(datapath.egress(frame(answer)), gateway, answer, private(12))
        unknown = datapath.egress(frame(answers(inner, 999)))
        assert (unknown.verdict, set(unknown.counted)) == ("drop", {"egress_rule_vip_unlearned"})


@pytest.mark.parametrize("own", [4, 6])
def test_a_host_of_one_family(compiled: Compile, own: int) -> None:
    """An outer source of our own is needed as much as the gateway."""
    with loaded(compiled, BOTH, f"address={OWN[own]}") as datapath:
        answer = answers(4, 1000)
        assert set(comes(datapath, 10 - own, asks(4, 1000)).counted) == set()  # not to us
        assert datapath.egress(frame(answer)).verdict == "drop"
        comes(datapath, own, asks(4, 1000))
        sent_to_the_gateway(datapath.egress(frame(answer)), own, answer)


SOURCE = {4: "192.0.2.88", 6: "2001:db8::88"}


@pytest.mark.parametrize("has", [4, 6])
@pytest.mark.parametrize("outer", [4, 6])
def test_another_source(compiled: Compile, has: int, outer: int) -> None:
    """The gateway has both families, and the address that replies are sent from has one."""
    text = TEXT.replace("gateway: ip ", "gateway: ip\n  replier: ip ").replace("with: gue", "with: edge").replace(
        "encapsulations:\n", "encapsulations:\n  edge: [{ip: {source: host.replier, destination: host.gateway}}, "
        "{udp: {destination_port: 6080, checksum: zero}}, {gue: {}}]\n",
    )  # fmt: skip
    with Datapath(compiled(text), settings=(BOTH, f"replier={SOURCE[has]}")) as datapath:
        comes(datapath, outer, asks(4, 1000))
        outcome = datapath.egress(frame(answers(4, 1000)))
        assert (outcome.verdict, set(outcome.counted)) == ("pass", {"egress_rule_replies"})
        sent = IP(outcome.frame[14:]) if has == 4 else IPv6(outcome.frame[14:])
        assert (sent.src, sent.dst) == (SOURCE[has], GATEWAY[has])


@pytest.mark.parametrize("outer", [4, 6])
def test_strangers_teach_nothing(edge: Datapath, outer: int) -> None:
    """The gateway is a destination; that it may send to us is another question."""
    outcome = comes(edge, outer, asks(4, 2000), source=GATEWAY[outer])
    assert (outcome.verdict, set(outcome.counted)) == ("drop", {"refused_gue__source"})
    assert set(edge.egress(frame(answers(4, 2000))).counted) == {"egress_rule_vip_unlearned"}


HEADERS = {4: 32, 6: 52}


@pytest.mark.parametrize("gateway", [(4, 6), (4,), (6,)])
@pytest.mark.parametrize("outer", [4, 6])
def test_segments_fit_what_comes_in_and_what_goes_out(compiled: Compile, gateway: Sequence[int], outer: int) -> None:
    """Neither 20 bytes too many, which would be lost, nor too few, where both go by IPv4."""
    goes = outer if outer in gateway else gateway[0]
    fits = 1500 - max(HEADERS[outer], HEADERS[goes]) - 8 - 40
    options = [("MSS", 1460)]
    with loaded(compiled, "gateway=" + ",".join(GATEWAY[f] for f in gateway)) as datapath:
        arrived = comes(datapath, outer, asks(4, 1000, flags="S", options=options), private(8))
        assert_mss(IP(arrived.frame[14:]), fits)
        sent = datapath.egress(frame(answers(4, 1000, flags="SA", options=options))).frame
        assert_mss(IP(sent[14 + HEADERS[goes] + 8 :]), fits)


@pytest.mark.parametrize("gateway", [4, 6])
@pytest.mark.parametrize("outer", [4, 6])
def test_the_longest_that_fits(compiled: Compile, gateway: int, outer: int) -> None:
    with loaded(compiled, ONE[gateway]) as datapath:
        comes(datapath, outer, asks(4, 1000))
        fits = 1500 - HEADERS[gateway] - 40
        assert set(datapath.egress(frame(answers(4, 1000, size=fits))).counted) == {"egress_rule_replies"}
        outcome = datapath.egress(frame(answers(4, 1000, size=fits + 1)))
        assert (outcome.verdict, set(outcome.counted)) == ("drop", {"egress_too_big", "egress_without_df"})


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ((BOTH,), False),
        ((ONE[4],), False),
        ((ONE[6], f"address={OWN[6]}"), False),
        ((ONE[6], f"address={OWN[4]}"), True),
        ((ONE[4], f"address={OWN[6]}"), True),
    ],
)
def test_a_host_that_cannot_answer_is_not_ready(compiled: Compile, settings: Sequence[str], wrong: bool) -> None:
    """No family of which it has both ends: that is said when loading, not found out by lost packets."""
    bundle = open_bundle(compiled(TEXT), {})
    findings = Findings()
    machine = resolve(bundle.manifest, read_settings(["uplink=eth0", *settings]), {"eth0": device()}, findings)
    instance = compose(bundle.manifest, machine, device())
    check_stacks(bundle.manifest, wanted_contents(bundle, machine, findings), [instance], findings)
    assert [d.code for d in findings.all] == (["H109"] if wrong else [])
    if wrong:
        assert "cannot be answered" in findings.all[0].message and "gateway" in findings.all[0].message


def test_direct_return(compiled: Compile) -> None:
    """As the example says: without `learn` and the rules of egress it decapsulates, and answers are unencapsulated."""
    lines = [line for line in TEXT.splitlines() if "learn:" not in line and "- {name: " not in line]
    with Datapath(compiled("\n".join(lines).replace("  rules:\n  default", "  default")), settings=(BOTH,)) as datapath:
        outcome = comes(datapath, 4, asks(4, 1000), private(12))
        assert (outcome.frame, set(outcome.counted)) == (frame(asks(4, 1000)), {"ingress_rule_from_lb"})
        answer = datapath.egress(frame(answers(4, 1000)))
        assert (answer.frame, set(answer.counted)) == (frame(answers(4, 1000)), set())
        assert comes(datapath, 4, asks(4, 1), source="198.18.0.9").verdict == "drop"

"""Each preset as it is used: what comes in is decapsulated, what goes out goes its way, and nothing else does."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from scapy.contrib.geneve import GENEVE
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

from encap_compile.compile.frontend.preset_words import PRESETS

from .datapath import MAC, OWN, Datapath, Outcome
from .inner import frame
from .specs import Compile
from .test_geneve_options import option

BALANCER, STRANGER, GATEWAY = "192.0.2.7", "192.0.2.99", "198.18.0.1"
CLIENT, VIP = "198.51.100.5", "203.0.113.9"
ENI, MARK, VNI = bytes.fromhex("1122334455667788"), 0x6003, 0x1234
OPTIONS = [option(3, b"cook"), option(1, ENI), option(2, b"attached")]
SENT_OPTIONS = [OPTIONS[1], OPTIONS[2], OPTIONS[0]]  # in the order of the preset's spec
PRIVATE = b"private!"
PEER_MAC = "02:aa:00:00:00:01"
SERVER = 'balancers: [192.0.2.0/28, "2001:db8:1::/64"], vips: [203.0.113.0/24, "2001:db8:ff::/48"]'
GIVEN = {
    "aws-gwlb": f"balancers: [192.0.2.0/28], enis: [{{received.geneve.eni: 0x{ENI.hex()}, mark: {MARK}}}]",
    **dict.fromkeys(("gue-dsr", "gue-return", "gue-edge", "vxlan-return"), SERVER),
}


def preset(compiled: Compile, name: str, more: str = "", beside: str = "") -> Datapath:
    given = "{" + ", ".join(filter(None, (GIVEN[name], more))) + "}"
    text = f'apiVersion: encap/v1alpha1\nname: made\nkernel: "5.10"\npreset: {{{name}: {given}}}\n{beside}'
    return Datapath(compiled(text), settings=(f"gateway={GATEWAY}",) if name == "gue-edge" else ())


def segment(answer: bool, port: int = 1000) -> bytes:
    ends, ports = ((VIP, CLIENT), (80, port)) if answer else ((CLIENT, VIP), (port, 80))
    return bytes(IP(src=ends[0], dst=ends[1]) / TCP(sport=ports[0], dport=ports[1], flags="A") / b"data")


def gue(source: str, destination: str, inner: bytes, sport: int, dport: int) -> bytes:
    payload = bytes((len(PRIVATE) // 4, 4, 0, 0)) + PRIVATE + inner
    return datagram(source, destination, sport, dport, payload)


def vxlan(source: str, destination: str, inner: bytes, sport: int, dport: int) -> bytes:
    macs = (PEER_MAC, MAC) if destination == OWN[4] else (MAC, PEER_MAC)
    payload = bytes(VXLAN(flags=8, vni=VNI) / Ether(src=macs[0], dst=macs[1], type=0x0800) / Raw(inner))
    return datagram(source, destination, sport, dport, payload)


def geneve(source: str, destination: str, inner: bytes, sport: int, dport: int) -> bytes:
    options = OPTIONS if destination == OWN[4] else SENT_OPTIONS
    payload = bytes(GENEVE(vni=VNI, proto=0x0800, options=options) / Raw(inner))
    return datagram(source, destination, sport, dport, payload)


def datagram(source: str, destination: str, sport: int, dport: int, payload: bytes) -> bytes:
    udp = UDP(sport=sport, dport=dport, chksum=0) / Raw(payload)
    return bytes(IP(src=source, dst=destination, ttl=64, id=0, flags="DF") / udp)


KINDS: dict[str, tuple[Callable[[str, str, bytes, int, int], bytes], int]] = {
    **dict.fromkeys(("gue-dsr", "gue-return", "gue-edge"), (gue, 6080)),
    "aws-gwlb": (geneve, 6081),
    "vxlan-return": (vxlan, 4789),
}


def comes(datapath: Datapath, name: str, source: str = BALANCER, port: int = 0, inner: bytes = b"") -> Outcome:
    build, usual = KINDS[name]
    return datapath.ingress(frame(build(source, OWN[4], inner or segment(False), 61234, port or usual)))


def leaves(datapath: Datapath, name: str, port: int = 1000) -> Outcome:
    """A server answers; an appliance sends on what came in, which has its mark."""
    if name == "aws-gwlb":
        return datapath.egress(frame(segment(False, port)), mark=MARK)
    return datapath.egress(frame(segment(True, port)))


def assert_sent(outcome: Outcome, name: str, destination: str, rule: str, port: int = 0) -> None:
    build, usual = KINDS[name]
    assert (outcome.verdict, set(outcome.counted)) == ("pass", {f"egress_rule_{rule}"})
    sent = outcome.frame[14:]
    source_port = 61234 if name == "aws-gwlb" else int.from_bytes(sent[20:22], "big")
    inner = segment(name != "aws-gwlb")
    assert sent.hex() == build(OWN[4], destination, inner, source_port, port or usual).hex()


WAY = {
    "gue-return": (BALANCER, "replies", "vip_unlearned"),
    "gue-edge": (GATEWAY, "replies", "vip_unlearned"),
    "aws-gwlb": (BALANCER, "back", "lost"),
    "vxlan-return": (BALANCER, "replies", "vip_unlearned"),
}


@pytest.mark.parametrize("name", WAY)
def test_what_goes_back(compiled: Compile, name: str) -> None:
    destination, rule, otherwise = WAY[name]
    with preset(compiled, name) as datapath:
        before = leaves(datapath, name)
        assert (before.verdict, set(before.counted)) == ("drop", {f"egress_rule_{otherwise}"})
        stranger = comes(datapath, name, STRANGER)
        assert stranger.verdict == "drop" and set(stranger.counted) == {f"refused_{kind(name)}__source"}
        assert leaves(datapath, name).verdict == "drop"
        came = comes(datapath, name)
        assert came.frame == frame(segment(False)) and "flows_learned" in came.counted
        assert came.mark == (MARK if name == "aws-gwlb" else 0)
        assert_sent(leaves(datapath, name), name, destination, rule)
        other = leaves(datapath, name, port=1001)
        assert (other.verdict, set(other.counted)) == ("drop", {f"egress_rule_{otherwise}"})
        plain = datapath.egress(frame(bytes(IP(src=OWN[4], dst=CLIENT) / UDP(sport=53, dport=53))))
        assert (plain.verdict, set(plain.counted)) == ("pass", {"egress_default"})


def kind(name: str) -> str:
    return "geneve" if name == "aws-gwlb" else name.partition("-")[0]


def test_direct_return(compiled: Compile) -> None:
    """It is decapsulated, and answers leave as they are, but for the MSS: see test_mss."""
    with preset(compiled, "gue-dsr") as datapath:
        came = comes(datapath, "gue-dsr")
        assert (came.frame, set(came.counted)) == (frame(segment(False)), {"ingress_rule_from_lb"})
        assert comes(datapath, "gue-dsr", STRANGER).verdict == "drop"
        elsewhere = bytes(IP(src=CLIENT, dst="10.0.0.1") / UDP(sport=1, dport=2))
        assert set(comes(datapath, "gue-dsr", inner=elsewhere).counted) == {"refused_gue__match"}
        answer = datapath.egress(frame(segment(True)))
        assert (answer.frame, set(answer.counted)) == (frame(segment(True)), set())


@pytest.mark.parametrize("name", ["gue-dsr", "gue-return", "gue-edge", "vxlan-return"])
def test_another_port(compiled: Compile, name: str) -> None:
    with preset(compiled, name, "port: 7777") as datapath:
        assert set(comes(datapath, name).counted) == set()  # somebody else's
        assert "ingress_rule_from_lb" in comes(datapath, name, port=7777).counted
        if name != "gue-dsr":
            assert_sent(leaves(datapath, name), name, *WAY[name][:2], port=7777)


@pytest.mark.parametrize("both", [False, True])
def test_what_an_appliance_answers_itself(compiled: Compile, both: bool) -> None:
    with preset(compiled, "aws-gwlb", "for: both" if both else "for: forwarded") as datapath:
        comes(datapath, "aws-gwlb")
        answer = datapath.egress(frame(segment(True)), mark=MARK)
        assert set(answer.counted) == {"egress_rule_back" if both else "egress_rule_lost"}
        assert "egress_rule_back" in leaves(datapath, "aws-gwlb").counted


def test_rules_beside_it_go_first(compiled: Compile) -> None:
    beside = "egress: {rules: [{name: own, match: {source_port: 80, protocol: tcp}, action: drop}], default: pass}\n"
    with preset(compiled, "gue-return", beside=beside) as datapath:
        comes(datapath, "gue-return")
        assert set(leaves(datapath, "gue-return").counted) == {"egress_rule_own"}
        unlearned = datapath.egress(frame(bytes(IP(src=VIP, dst=CLIENT) / UDP(sport=53, dport=53))))
        assert set(unlearned.counted) == {"egress_rule_vip_unlearned"}


def test_every_preset_is_here() -> None:
    assert set(KINDS) == set(GIVEN) == set(PRESETS)

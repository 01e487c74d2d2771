"""Fragments of inner packets: all follow the first one, which alone shows ports."""

from __future__ import annotations

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment
from scapy.packet import Raw

from .datapath import Datapath
from .inner import frame
from .specs import HEAD, Compile

SPEC = (
    HEAD
    + """
encapsulations: {ipip: [{ip: {source: host.address, destination: endpoint.to}}]}
endpoints:
  all: {key: destination, fields: {to: ip}, encapsulation: ipip, rows: [{destination: 0.0.0.0/0, to: 192.0.2.1},
    {destination: "::/0", to: 192.0.2.1}]}
egress:
  rules:
    - {name: open, match: {protocol: udp, destination_port: 53}, action: pass}
    - {name: web, match: {protocol: tcp, destination_port: [80, 443]}, to: all}
    - {name: closed, match: {protocol: udp, source_port: 9}, action: drop}
    - {name: odd, match: {protocol: 200}, action: drop}
  default: pass
"""
)

FOUR = {"src": "10.0.0.1", "dst": "10.0.0.2"}
SIX = {"src": "fd00::1", "dst": "fd00::2"}


def six(protocol: int, offset: int = 0, more: int = 0) -> IPv6:
    return IPv6(**SIX) / IPv6ExtHdrFragment(nh=protocol, offset=offset, m=more, id=9)


def _chain(length: int) -> IPv6:
    packet = IPv6(**SIX)
    for _ in range(length):
        packet = packet / IPv6ExtHdrDestOpt()
    return packet / UDP(sport=1, dport=53)


CASES = {
    # A rule that lets pass wants to see the ports; one that chooses takes what may have them.
    "dns": (IP(**FOUR) / UDP(sport=1, dport=53), "open"),
    "first fragment of dns": (IP(**FOUR, flags="MF") / UDP(sport=1, dport=53) / Raw(bytes(32)), "open"),
    "web": (IP(**FOUR) / TCP(dport=443), "web"),
    "no web": (IP(**FOUR) / TCP(dport=444), "default"),
    "first fragment of web": (IP(**FOUR, flags="MF") / TCP(dport=80) / Raw(bytes(32)), "web"),
    "first fragment of no web": (IP(**FOUR, flags="MF") / TCP(dport=81) / Raw(bytes(32)), "default"),
    "TCP cut off before its ports": (IP(**FOUR, proto=6) / Raw(b"\0\x50\0"), "web"),
    "UDP cut off before its ports": (IP(**FOUR, proto=17) / Raw(b"\0\x50\0"), "closed"),
    "dns in IPv6": (IPv6(**SIX) / UDP(sport=1, dport=53), "open"),
    "first fragment of dns in IPv6": (six(17, more=1) / UDP(sport=1, dport=53) / Raw(bytes(32)), "open"),
    "first fragment of web in IPv6": (six(6, more=1) / TCP(dport=80) / Raw(bytes(32)), "web"),
    "atomic fragment of web in IPv6": (six(6) / TCP(dport=80), "web"),
    "atomic fragment of no web in IPv6": (six(6) / TCP(dport=81), "default"),
    # Not to be read to the end: it may be anything, so the first rule that chooses takes it.
    "nine extension headers": (_chain(9), "web"),
    "six extension headers": (_chain(6), "open"),
    "chain cut off": (IPv6(**SIX, nh=60) / Raw(b"\x11\x00\x01"), "web"),
    "chain that ends beyond the packet": (IPv6(**SIX, nh=60) / Raw(b"\x11\xff\x01\x04" + bytes(4)), "closed"),
}


# Whose first fragment was not seen: which rule has it, or misses it, and whether it leaves.
LOST = {
    "UDP": (IP(**FOUR, frag=5, proto=17) / Raw(bytes(32)), "egress_rule_closed", "drop"),
    "TCP": (IP(**FOUR, frag=5, proto=6) / Raw(bytes(32)), "egress_miss_web", "drop"),
    "TCP, one byte": (IP(**FOUR, frag=8191, proto=6) / Raw(b"x"), "egress_miss_web", "drop"),
    "SCTP": (IP(**FOUR, frag=5, proto=132) / Raw(bytes(32)), "egress_default", "pass"),
    # In IPv6 only the first fragment says what it is.
    "UDP in IPv6": (six(17, offset=5) / Raw(bytes(32)), "egress_miss_web", "drop"),
    "TCP in IPv6": (six(6, offset=5) / Raw(bytes(32)), "egress_miss_web", "drop"),
}


@pytest.mark.parametrize("name", LOST)
def test_a_first_fragment_that_was_not_seen(compiled: Compile, name: str) -> None:
    packet, counter, verdict = LOST[name]
    with Datapath(compiled(SPEC)) as datapath:
        outcome = datapath.egress(frame(packet))
    assert (outcome.verdict, set(outcome.counted)) == (verdict, {counter, "egress_no_first_fragment"})


def _first(version: int, protocol: int, ports: bytes, number: int = 9) -> bytes:
    body = ports + bytes(36)
    if version == 4:
        return bytes(IP(**FOUR, flags="MF", id=number, proto=protocol) / Raw(body))
    return bytes(IPv6(**SIX) / IPv6ExtHdrFragment(nh=protocol, m=1, id=number) / Raw(body))


def _later(version: int, protocol: int, number: int = 9, **more: int) -> bytes:
    if version == 4:
        return bytes(IP(**FOUR, frag=5, id=number, proto=protocol) / Raw(bytes(32)))
    return bytes(IPv6(**SIX) / IPv6ExtHdrFragment(nh=protocol, offset=5, id=number) / Raw(bytes(32)))


def _ports(destination: int, source: int = 1) -> bytes:
    return source.to_bytes(2, "big") + destination.to_bytes(2, "big")


FOLLOWED = {
    "dns": (17, _ports(53), "open", "pass"),
    "web": (6, _ports(443), "web", "pass"),
    "no web": (6, _ports(444), "default", "pass"),
    "closed": (17, _ports(7, 9), "closed", "drop"),
    "SCTP": (132, _ports(443), "default", "pass"),
    "ESP": (50, b"seal", "default", "pass"),
}


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("name", FOLLOWED)
def test_all_fragments_follow_the_first(compiled: Compile, name: str, version: int) -> None:
    protocol, ports, rule, verdict = FOLLOWED[name]
    with Datapath(compiled(SPEC)) as datapath:
        for given in (_first(version, protocol, ports), _later(version, protocol), _later(version, protocol)):
            outcome = datapath.egress(frame(given))
            assert (outcome.verdict, set(outcome.counted)) == (
                verdict,
                {f"egress_rule_{rule}"} if rule != "default" else {"egress_default"},
            )
            assert (outcome.frame == frame(given)) == (rule != "web")
        for stranger in (
            datapath.egress(frame(_later(version, protocol, number=10))),
            datapath.egress(frame(_later(version, protocol)), mark=7),
        ):
            assert "egress_no_first_fragment" in stranger.counted


def test_the_same_number_again(compiled: Compile) -> None:
    """The latest first fragment is the one that counts; before it comes, those behind it are not let through."""
    with Datapath(compiled(SPEC)) as datapath:
        early = datapath.egress(frame(_later(4, 6)))
        assert early.verdict == "drop" and "egress_no_first_fragment" in early.counted
        datapath.egress(frame(_first(4, 6, _ports(444))))
        assert set(datapath.egress(frame(_later(4, 6))).counted) == {"egress_default"}
        datapath.egress(frame(_first(4, 6, _ports(443))))
        assert set(datapath.egress(frame(_later(4, 6))).counted) == {"egress_rule_web"}
        # IPv4 tells packets apart by their protocol too.
        assert "egress_no_first_fragment" in datapath.egress(frame(_later(4, 17))).counted


TWO_ENDS = """
sets: {{there: [10.0.0.0/16, "fd00::/64"]}}
encapsulations: {{e: [{{ip: {{source: host.address, destination: endpoint.address}}}}]}}
endpoints:
  exits:
    fields: {{address: ip}}
    encapsulation: e
    rows: [{{name: dns, address: 192.0.2.2}}, {{name: rest, address: 192.0.2.3}}]
egress:
  rules:
    - {{name: dns, match: {{destination: there, protocol: udp, destination_port: 53}}, to: exits/dns, {miss}}}
    - {{name: rest, match: {{destination: there, source: {source}}}, to: exits/rest}}
  default: pass
ingress: {{rules: [{{name: peers, decapsulate: e, from: exits.address, match: {{protocol: udp, source_port: 5004}}}}]}}
"""
BOTH = '["10.0.0.0/8", "fd00::/8"]'


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(("port", "end"), [(53, 2), (5004, 3)])
def test_one_tunnel_endpoint(compiled: Compile, version: int, port: int, end: int) -> None:
    with Datapath(compiled(HEAD + TWO_ENDS.format(miss="on_miss: drop", source=BOTH))) as datapath:
        for given in (_first(version, 17, _ports(port)), _later(version, 17)):
            assert datapath.egress(frame(given)).frame[30:34] == bytes((192, 0, 2, end))


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("on_miss", ["drop", "next", "pass"])
@pytest.mark.parametrize("there", [True, False])
def test_on_miss(compiled: Compile, on_miss: str, there: bool, version: int) -> None:
    """`next` and `pass` let a later rule have the fragment, but nothing lets it leave unencapsulated."""
    source = BOTH if there else '["172.16.0.0/12", "fd99::/64"]'
    with Datapath(compiled(HEAD + TWO_ENDS.format(miss=f"on_miss: {on_miss}", source=source))) as datapath:
        outcome = datapath.egress(frame(_later(version, 17)))
        taken = {"egress_rule_rest"} if there and on_miss != "drop" else set()
        assert set(outcome.counted) == {"egress_no_first_fragment", "egress_miss_dns", *taken}
        assert outcome.verdict == ("pass" if taken else "drop")
        if taken:
            assert outcome.frame[30:34] == bytes((192, 0, 2, 3))


KEPT = """
encapsulations: {{e: [{{ip: {{source: host.address, destination: endpoint.address}}}}]}}
endpoints:
  exits: {{fields: {{address: ip}}, encapsulation: e, rows: [{{name: dns, address: 192.0.2.2}}]}}
  rest: {{key: destination, fields: {{address: ip}}, encapsulation: e, rows: [{{destination: 172.16.0.0/12,
    address: 192.0.2.3}}]}}
egress:
  rules:
    - {{name: dns, match: {{protocol: udp, destination_port: 53}}, to: exits/dns, on_miss: next}}
    - {{name: rest, match: {{}}, to: rest, on_miss: {miss}}}
  default: {default}
"""


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(("miss", "default"), [("pass", "drop"), ("next", "pass"), ("pass", "pass")])
def test_no_missing_row_lets_it_pass(compiled: Compile, miss: str, default: str, version: int) -> None:
    """What an earlier rule may encapsulate does not pass because a later rule, whose `on_miss` says so, has no row."""
    with Datapath(compiled(HEAD + KEPT.format(miss=miss, default=default))) as datapath:
        lost = datapath.egress(frame(_later(version, 17)))
        assert lost.verdict == "drop"
        assert set(lost.counted) == {"egress_no_first_fragment", "egress_miss_dns", "egress_miss_rest"}
        # One that is not of the first rule passes as written.
        other = datapath.egress(frame(_first(version, 17, _ports(54))))
        assert other.verdict == "pass" and "egress_miss_rest" in other.counted
        assert datapath.egress(frame(_later(version, 17))).verdict == "pass"


@pytest.mark.parametrize("version", [4, 6])
def test_fragments_that_come_in(compiled: Compile, version: int) -> None:
    """A rule that looks at inner ports takes the later fragments of what it takes."""
    from .datapath import OWN

    def inner(given: bytes) -> bytes:
        return frame(IP(src="192.0.2.2", dst=OWN[4], proto=4 if version == 4 else 41) / Raw(given))

    with Datapath(compiled(HEAD + TWO_ENDS.format(miss="on_miss: drop", source=BOTH))) as datapath:
        later = _later(version, 17)
        assert set(datapath.ingress(inner(later)).counted) == {"refused_e__match"}
        assert set(datapath.ingress(inner(_first(version, 17, _ports(1, 5004)))).counted) == {"ingress_rule_peers"}
        outcome = datapath.ingress(inner(later))
        assert (outcome.frame[14:].hex(), set(outcome.counted)) == (later.hex(), {"ingress_rule_peers"})
        assert set(datapath.ingress(inner(_first(version, 17, _ports(1, 5)))).counted) == {"refused_e__match"}
        assert set(datapath.ingress(inner(later)).counted) == {"refused_e__match"}


@pytest.mark.parametrize("name", CASES)
def test_fragments(compiled: Compile, name: str) -> None:
    packet, rule = CASES[name]
    given = frame(packet)
    with Datapath(compiled(SPEC)) as datapath:
        outcome = datapath.egress(given)
    assert list(outcome.counted) == ["egress_default" if rule == "default" else f"egress_rule_{rule}"]
    assert outcome.verdict == ("drop" if rule == "closed" else "pass")
    assert (outcome.frame == given) == (rule != "web")


def _hiding(version: int) -> bytes:
    """A first fragment that does not show its ports."""
    if version == 4:
        return bytes(IP(**FOUR, flags="MF", id=9, proto=17) / Raw(b"\0\x50\0"))
    packet = IPv6(**SIX) / IPv6ExtHdrFragment(m=1, id=9)
    for _ in range(9):
        packet = packet / IPv6ExtHdrDestOpt()
    return bytes(packet / UDP(sport=1, dport=7))


@pytest.mark.parametrize("version", [4, 6])
def test_a_first_fragment_that_hides_its_ports(compiled: Compile, version: int) -> None:
    """What an earlier packet of the same number showed is not this one's, nor that of the fragments behind it"""
    with Datapath(compiled(SPEC)) as datapath:
        assert set(datapath.egress(frame(_first(version, 17, _ports(53)))).counted) == {"egress_rule_open"}
        assert set(datapath.egress(frame(_later(version, 17))).counted) == {"egress_rule_open"}
        for given in (_hiding(version), _later(version, 17)):
            outcome = datapath.egress(frame(given))
            assert outcome.verdict == "drop" and "egress_no_first_fragment" in outcome.counted


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("source", ["192.0.2.2", "192.0.2.99"])
def test_what_comes_in_decides_nothing_else(compiled: Compile, source: str, version: int) -> None:
    """A first fragment from who may not send shows nothing; and no one that came in does for what leaves"""
    from .datapath import OWN

    def inner(given: bytes, source: str) -> bytes:
        return frame(IP(src=source, dst=OWN[4], proto=4 if version == 4 else 41) / Raw(given))

    listed = source == "192.0.2.2"
    with Datapath(compiled(HEAD + TWO_ENDS.format(miss="on_miss: drop", source=BOTH))) as datapath:
        first = datapath.ingress(inner(_first(version, 17, _ports(1, 5004)), source))
        assert set(first.counted) == {"ingress_rule_peers" if listed else "refused_e__source"}
        later = datapath.ingress(inner(_later(version, 17), "192.0.2.2"))
        assert set(later.counted) == {"ingress_rule_peers" if listed else "refused_e__match"}
        assert "egress_no_first_fragment" in datapath.egress(frame(_later(version, 17))).counted

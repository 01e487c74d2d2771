"""A router's ICMP error about an outer packet of ours lowers what fits to its tunnel endpoint; a lie lowers nothing."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_NOP
from scapy.layers.inet6 import ICMPv6DestUnreach, ICMPv6PacketTooBig, IPv6, IPv6ExtHdrFragment
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from encap_compile.run.kernel.maps import Packed

from .datapath import OWN, Datapath
from .inner import frame
from .specs import Compile
from .ways import MORE_ROWS, SETTINGS

EXAMPLE = "vxlan-overlay"
ROUTER = {4: "203.0.113.1", 6: "2001:db8:ff::1"}
# inner destination by (outer, inner), of rows of the example and those that tests add
DESTINATION = {(4, 4): "10.1.2.3", (4, 6): "fd00:10:1::9", (6, 4): "10.3.7.9", (6, 6): "fd00:10:3::9"}
OVERHEAD = {4: 50, 6: 70}
LEARNED, IGNORED = {"ingress_path_learned"}, {"ingress_path_ignored"}


@pytest.fixture
def overlay(examples: dict[str, Path]) -> Iterator[Datapath]:
    """A program that has learned nothing yet."""
    with Datapath(examples[EXAMPLE], settings=SETTINGS[EXAMPLE], more=MORE_ROWS[EXAMPLE]) as found:
        yield found


def sent(datapath: Datapath, outer: int, inner: int, length: int) -> Any:
    """The outcome of an inner UDP packet of `length` bytes."""
    return datapath.egress(frame(packet(outer, inner, length)))


def packet(outer: int, inner: int, length: int, **head: Any) -> Any:
    destination = DESTINATION[outer, inner]
    if inner == 4:
        ip = IP(**({"src": "10.0.0.5", "dst": destination, "flags": "DF"} | head))
    else:
        ip = IPv6(src="fd00:10::5", dst=destination)
    body = length - len(ip) - 8
    return ip / UDP(sport=1000, dport=9000) / Raw(bytes(body))


def quoted(datapath: Datapath, outer: int, inner: int = 4, length: int = 1400) -> bytes:
    """An outer packet as this host sends it, for a router to quote."""
    outcome = sent(datapath, outer, inner, length)
    assert outcome.verdict == "pass", outcome
    return bytes(outcome.frame[14:])


def error(outer: int, quote: bytes, mtu: int, cut: int = 548, **icmp: Any) -> Any:
    """What a router says of `quote`."""
    if outer == 4:
        head = IP(src=ROUTER[4], dst=OWN[4], ttl=60)
        said = ICMP(**({"type": 3, "code": 4, "nexthopmtu": mtu} | icmp))
    else:
        head = IPv6(src=ROUTER[6], dst=OWN[6], hlim=60)
        said = ICMPv6PacketTooBig(**({"mtu": mtu} | icmp))
    return head / said / Raw(quote[:cut])


def arrives(datapath: Datapath, given: Any) -> Any:
    """It goes on to the kernel, unchanged, whatever is learned from it."""
    data = frame(given)
    outcome = datapath.ingress(data)
    assert (outcome.verdict, outcome.frame) == ("pass", data)
    return outcome


def fits(datapath: Datapath, outer: int, inner: int = 4) -> int:
    """The longest inner packet that is sent."""
    low, high = 400, 1500
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if sent(datapath, outer, inner, middle).verdict == "pass" else (low, middle)
    return low


@pytest.mark.parametrize(("outer", "inner"), [(4, 4), (4, 6), (6, 4)])
@pytest.mark.parametrize("mtu", [1350, 1400, 1499])
def test_learned(overlay: Datapath, outer: int, inner: int, mtu: int) -> None:
    assert fits(overlay, outer, inner) == 1500 - OVERHEAD[outer]
    quote = quoted(overlay, outer, inner, 1500 - OVERHEAD[outer])
    assert set(arrives(overlay, error(outer, quote, mtu)).counted) == LEARNED
    most = mtu - OVERHEAD[outer]
    assert sent(overlay, outer, inner, most).verdict == "pass"
    told = sent(overlay, outer, inner, most + 1)
    assert (told.verdict, set(told.counted)) == ("redirect", {"egress_too_big", "egress_answered"})
    answer = Ether(told.frame)
    assert (answer[ICMP].nexthopmtu if inner == 4 else answer[ICMPv6PacketTooBig].mtu) == most


def test_a_packet_that_another_device_sent(overlay: Datapath) -> None:
    """The error about a packet of a device with jumbo frames may arrive at one without: the instances share the map."""
    quote = quoted(overlay, 4)
    jumbo = quote[:2] + (9000).to_bytes(2, "big") + quote[4:]
    assert set(arrives(overlay, error(4, jumbo, 4000)).counted) == LEARNED
    with overlay.map("path_mtus") as paths:
        _, mtu, _ = struct.unpack("=QII", paths.lookup(bytes(10) + b"\xff\xff" + ip_address(IP(quote).dst).packed))
    assert mtu == 4000
    assert fits(overlay, 4) == 1450, "this device takes no more, whatever the path does"


def test_other_endpoints_keep_theirs(overlay: Datapath) -> None:
    arrives(overlay, error(4, quoted(overlay, 4), 1350))
    assert fits(overlay, 4) == 1300
    assert fits(overlay, 6) == 1430


def test_a_path_that_becomes_smaller_again(overlay: Datapath) -> None:
    for mtu in (1400, 1300):
        assert set(arrives(overlay, error(4, quoted(overlay, 4, length=mtu - 49), mtu)).counted) == LEARNED
        assert fits(overlay, 4) == mtu - 50
    stale = quoted(overlay, 4, length=1200)[:2] + b"\x05\xdc" + quoted(overlay, 4, length=1200)[4:]
    assert set(arrives(overlay, error(4, stale, 1400)).counted) == IGNORED, "more than is known"
    assert fits(overlay, 4) == 1250


def test_it_expires(overlay: Datapath) -> None:
    arrives(overlay, error(4, quoted(overlay, 4), 1350))
    assert fits(overlay, 4) == 1300
    quote = IP(quoted(overlay, 4, length=1200))
    with overlay.map("path_mtus") as paths:
        address = bytes(10) + b"\xff\xff" + ip_address(quote.dst).packed
        expires, mtu, _ = struct.unpack("=QII", paths.lookup(address))
        assert mtu == 1350
        paths.update(Packed(1, address, struct.pack("=QII", expires - 600_000_000_000, mtu, 0)))
    assert fits(overlay, 4) == 1450


def test_gso_packets(overlay: Datapath) -> None:
    """TCP whose segments fit before is cut smaller; segments that are too big even then are answered."""
    arrives(overlay, error(4, quoted(overlay, 4), 1400))

    def bulk(mss: int) -> Any:
        ip = IP(src="10.0.0.5", dst=DESTINATION[4, 4], flags="DF")
        return overlay.egress(frame(ip / TCP(sport=1000, dport=443, flags="A") / Raw(bytes(2 * mss))), 0, mss, 2)

    # They fit: BPF_PROG_TEST_RUN has no GSO packets of TCP, and so the helper refuses what it is called for.
    assert set(bulk(1310).counted) == {"egress_no_headroom"}, "1350 bytes inside"
    assert set(bulk(1311).counted) == {"egress_no_headroom"}, "made smaller by the overhead"
    assert set(bulk(1360).counted) == {"egress_no_headroom"}
    told = bulk(1361)
    assert told.verdict == "redirect"
    assert Ether(told.frame)[ICMP].nexthopmtu == 1350


def test_mss(overlay: Datapath) -> None:
    def mss() -> int:
        ip = IP(src="10.0.0.5", dst=DESTINATION[4, 4])
        made = overlay.egress(frame(ip / TCP(sport=1000, dport=443, flags="S", options=[("MSS", 1460)]))).frame
        return int.from_bytes(made[14 + 50 + 42 : 14 + 50 + 44], "big")

    before = mss()
    arrives(overlay, error(4, quoted(overlay, 4), 1400))
    assert before - mss() == 100


@pytest.mark.parametrize("said", [0, 68, 296, 552])
def test_hosts_rely_on_552_bytes(overlay: Datapath, said: int) -> None:
    """A router of old says no MTU (RFC 1191, section 5), and one that lies an absurd one."""
    quote = quoted(overlay, 4, length=900)
    assert set(arrives(overlay, error(4, quote, said)).counted) == LEARNED
    assert fits(overlay, 4) == 552, "Linux believes no less, and would send on without DF"
    seen = []
    for _ in range(2):
        outcome = sent(overlay, 4, 4, 552)
        outer = IP(outcome.frame[14:])
        assert not outer.flags.DF, "routers may fragment it"
        seen.append(outer.id)
        right = outer.chksum
        del outer.chksum
        assert IP(bytes(outer)).chksum == right
    assert seen[0] != seen[1] or sent(overlay, 4, 4, 552).frame[18:20] != outcome.frame[18:20]


def test_ipv6_inside_relies_on_1280_bytes(overlay: Datapath) -> None:
    """Over IPv4, routers may fragment (RFC 4459, section 3.3); other packets keep DF."""
    assert set(arrives(overlay, error(4, quoted(overlay, 4), 1300)).counted) == LEARNED
    assert fits(overlay, 4, 6) == 1280
    assert not IP(sent(overlay, 4, 6, 1280).frame[14:]).flags.DF
    assert Ether(sent(overlay, 4, 6, 1281).frame)[ICMPv6PacketTooBig].mtu == 1280
    assert fits(overlay, 4, 4) == 1250
    assert IP(sent(overlay, 4, 4, 1250).frame[14:]).flags.DF


def test_ipv6_inside_ipv6_that_is_too_small(overlay: Datapath) -> None:
    assert set(arrives(overlay, error(6, quoted(overlay, 6, 6), 1300)).counted) == LEARNED
    assert fits(overlay, 6, 6) == 1230
    for length in (1231, 1280, 1430):
        outcome = sent(overlay, 6, 6, length)
        assert (outcome.verdict, set(outcome.counted)) == ("drop", {"egress_path_too_small"})
    arrives(overlay, error(6, quoted(overlay, 6, 4), 1300))
    assert fits(overlay, 6, 4) == 1230


def test_a_router_that_says_no_mtu(overlay: Datapath) -> None:
    """RFC 1191, section 7: the next smaller MTU in use."""
    assert set(arrives(overlay, error(4, quoted(overlay, 4, length=1450), 0)).counted) == LEARNED
    assert fits(overlay, 4) == 1492 - 50
    assert set(arrives(overlay, error(4, quoted(overlay, 4, length=1442), 0)).counted) == LEARNED
    assert fits(overlay, 4) == 1006 - 50


# ---- what is not believed --------------------------------------------------------------------------------------------

Change = Callable[[Any], Any]


def _set(layer: type, **fields: Any) -> Change:
    def change(quote: Any) -> Any:
        for name, value in fields.items():
            setattr(quote[layer], name, value)
        return quote

    return change


NOT_OURS: dict[str, tuple[int, Change]] = {
    "another port": (4, _set(UDP, dport=4790)),
    "another port over IPv6": (6, _set(UDP, dport=4790)),
    "a source port that we do not use": (4, _set(UDP, sport=49151)),
    "another source": (4, _set(IP, src="192.0.2.78")),
    "another source over IPv6": (6, _set(IPv6, src="2001:db8::78")),
    "to no tunnel endpoint": (4, _set(IP, dst="198.51.100.9")),
    "to no tunnel endpoint over IPv6": (6, _set(IPv6, dst="2001:db8:bad::1")),
    "another protocol": (4, _set(IP, proto=6)),
    "another protocol over IPv6": (6, _set(IPv6, nh=6)),
    "a later fragment": (4, _set(IP, frag=3)),
    "with IP options": (4, _set(IP, ihl=6)),
    "another version": (6, _set(IPv6, version=4)),
}


@pytest.mark.parametrize("name", NOT_OURS)
def test_a_quote_that_is_not_ours(overlay: Datapath, name: str) -> None:
    outer, change = NOT_OURS[name]
    kind = IP if outer == 4 else IPv6
    quote = quoted(overlay, outer)
    assert arrives(overlay, error(outer, bytes(change(kind(quote))), 1350)).counted == {}
    assert fits(overlay, outer) == 1500 - OVERHEAD[outer]


UNTRUE: dict[str, tuple[int, Callable[[bytes], Any]]] = {
    "more than the packet's length": (4, lambda quote: error(4, quote, len(quote))),
    "more than the packet's length over IPv6": (6, lambda quote: error(6, quote, len(quote))),
    "below IPv6's smallest": (6, lambda quote: error(6, quote, 1279)),
    "zero of IPv6": (6, lambda quote: error(6, quote, 0)),
    "a wrong checksum": (4, lambda quote: error(4, quote, 1350, chksum=1)),
    "a wrong checksum of ICMPv6": (6, lambda quote: error(6, quote, 1350, cksum=1)),
}


@pytest.mark.parametrize("name", UNTRUE)
def test_untrue(overlay: Datapath, name: str) -> None:
    outer, make = UNTRUE[name]
    assert set(arrives(overlay, make(quoted(overlay, outer))).counted) == IGNORED
    assert fits(overlay, outer) == 1500 - OVERHEAD[outer]


def _of_another(given: Any) -> Any:
    given[IP].dst = "192.0.2.78"
    return given


OTHER: dict[str, tuple[int, Callable[[bytes], Any]]] = {
    "another type": (4, lambda quote: error(4, quote, 1350, type=11)),
    "another code": (4, lambda quote: error(4, quote, 1350, code=3)),
    "another type of ICMPv6": (6, lambda quote: IPv6(src=ROUTER[6], dst=OWN[6]) / ICMPv6DestUnreach() / quote),
    "a quote of 27 bytes": (4, lambda quote: error(4, quote, 1350, cut=27)),
    "a quote of 10 bytes": (4, lambda quote: error(4, quote, 1350, cut=10)),
    "no quote": (4, lambda quote: error(4, quote, 1350, cut=0)),
    "a quote of 47 bytes": (6, lambda quote: error(6, quote, 1350, cut=47)),
    "to another host": (4, lambda quote: _of_another(error(4, quote, 1350))),
    "a fragment": (4, lambda quote: _set(IP, flags="MF")(error(4, quote, 1350))),
    "a later fragment": (4, lambda quote: _set(IP, frag=1)(error(4, quote, 1350))),
    "a fragment of IPv6": (
        6,
        lambda quote: IPv6(src=ROUTER[6], dst=OWN[6]) / IPv6ExtHdrFragment(m=1) / ICMPv6PacketTooBig(mtu=1350) / quote,
    ),
}


@pytest.mark.parametrize("name", OTHER)
def test_something_else(overlay: Datapath, name: str) -> None:
    outer, make = OTHER[name]
    assert arrives(overlay, make(quoted(overlay, outer))).counted == {}
    assert fits(overlay, outer) == 1500 - OVERHEAD[outer]


def test_an_error_that_is_cut(overlay: Datapath) -> None:
    """Its header says more than there is, so its checksum cannot be computed."""
    given = bytes(error(4, quoted(overlay, 4), 1350))[:-10]
    data = frame(given)
    outcome = overlay.ingress(data)
    assert (outcome.verdict, set(outcome.counted)) == ("pass", IGNORED)
    assert fits(overlay, 4) == 1450


def test_a_router_with_ip_options(overlay: Datapath) -> None:
    given = error(4, quoted(overlay, 4), 1350)
    given[IP].options = [IPOption_NOP()] * 8
    assert set(arrives(overlay, given).counted) == LEARNED
    assert fits(overlay, 4) == 1300


@pytest.mark.parametrize("cut", [28, 29, 35, 63, 64, 65, 128, 548, 1400])
def test_quotes_of_any_length(overlay: Datapath, cut: int) -> None:
    assert set(arrives(overlay, error(4, quoted(overlay, 4), 1350, cut=cut)).counted) == LEARNED
    assert fits(overlay, 4) == 1300


def test_within_our_tunnel(overlay: Datapath) -> None:
    """An inner ICMP error is the inner sender's business."""
    inner = bytes(error(4, quoted(overlay, 4), 1350))
    vxlan = bytes.fromhex("0800000000002a00") + bytes.fromhex("020000000077 020000009999 0800")
    given = IP(src="192.0.2.10", dst=OWN[4], proto=17) / UDP(sport=50000, dport=4789, chksum=0) / Raw(vxlan + inner)
    outcome = overlay.ingress(frame(given))
    assert set(outcome.counted) == {"ingress_rule_peers"}
    assert fits(overlay, 4) == 1450


# ---- other specs -----------------------------------------------------------------------------------------------------

ONLY_OUT = """
apiVersion: encap/v1alpha1
name: only-out
host: {uplink: device, address: {type: ip, default: uplink.address}}
attach: {devices: host.uplink}
encapsulations: {ipip: [{ip: {source: host.address, destination: endpoint.address}}]}
endpoints:
  sites:
    key: destination
    fields: {address: ip}
    encapsulation: ipip
    rows: [{destination: 10.1.0.0/16, address: 192.0.2.10}, {destination: 10.2.0.0/16, address: "2001:db8::10"}]
egress: {rules: [{name: sites, match: {destination: 10.0.0.0/8}, to: sites}], default: drop}
"""


def test_a_spec_without_ingress_rules(compiled: Compile) -> None:
    """No port, rules that see IPv4 alone, and outer packets of both families."""
    with Datapath(compiled(ONLY_OUT)) as datapath:
        for outer, inner, overhead in ((4, "10.1.0.9", 20), (6, "10.2.0.9", 40)):

            def leave(length: int, inner: str = inner) -> Any:
                ip = IP(src="10.9.0.5", dst=inner, flags="DF")
                return datapath.egress(frame(ip / UDP(sport=1, dport=2) / Raw(bytes(length - 28))))

            quote = leave(1500 - overhead).frame[14:]
            other = bytearray(quote)
            other[9 if outer == 4 else 6] = 47
            assert arrives(datapath, error(outer, bytes(other), 1400)).counted == {}, "GRE is not sent"
            assert leave(1500 - overhead).verdict == "pass"
            assert set(arrives(datapath, error(outer, quote, 1400)).counted) == LEARNED
            assert leave(1400 - overhead).verdict == "pass"
            assert leave(1401 - overhead).verdict == "redirect"


def test_nothing_is_learned_that_is_not_asked_for(compiled: Compile) -> None:
    with Datapath(compiled(f"{ONLY_OUT}mtu: {{path: ignore}}\n")) as datapath:
        assert [hook.hook for hook in datapath.manifest.programs] == [
            "tc_egress"
        ] or "path_mtus" not in datapath.map_names
        assert not [name for name in datapath.names if "path" in name]

"""The MSS of TCP flows that a rule encapsulates leaves headroom for the headers, in SYN and SYN-ACK, both ways."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment
from scapy.packet import Raw

from .datapath import MTU, OWN, Datapath
from .inner import frame
from .specs import HEAD, Compile

BALANCER = "192.0.2.1"
SPEC = (
    HEAD
    + """
encapsulations:
  ipip: [{ip: {source: host.address, destination: endpoint.to}}]
  gre: [{ip: {source: host.address, destination: endpoint.to}}, {gre: {}}]
endpoints:
  sites: {key: destination, fields: {to: ip}, encapsulation: ipip, rows: [{destination: 10.0.0.0/8, to: 192.0.2.1},
    {destination: "fd00::/8", to: 192.0.2.1}]}
  others: {key: destination, fields: {to: ip}, encapsulation: [ipip, gre],
    rows: [{destination: 172.16.0.0/12, to: 192.0.2.1, encapsulation: ipip}]}
egress:
  rules:
    - {name: ssh, match: {destination: 10.0.0.0/8, protocol: tcp, destination_port: 22}, action: pass}
    - {name: sites, match: {destination: [10.0.0.0/8, "fd00::/8"]}, to: sites}
    - {name: others, match: {destination: 172.16.0.0/12}, to: others}
  default: pass
ingress:
  rules: [{name: peers, decapsulate: ipip, from: sites.to}]
"""
)
MSS = ("MSS", 1460)
TAIL = [("SAckOK", b""), ("Timestamp", (1, 0)), ("WScale", 7)]


def syn(source: str, destination: str, flags: str = "S", options: Any = None, port: int = 80, data: bytes = b"") -> Any:
    head = IPv6(src=source, dst=destination) if ":" in source else IP(src=source, dst=destination)
    tcp = TCP(sport=4000, dport=port, flags=flags, options=[MSS, *TAIL] if options is None else options)
    return head / tcp / Raw(data)


def lowered(packet: Any, mss: int) -> bytes:
    """The packet as it is when the MSS has been lowered, its checksum by scapy."""
    changed = packet.__class__(bytes(packet))
    changed[TCP].options = [("MSS", mss) if name == "MSS" else (name, value) for name, value in changed[TCP].options]
    del changed[TCP].chksum
    return bytes(changed)


def sent(datapath: Datapath, packet: Any, headers: int = 20) -> bytes:
    outcome = datapath.egress(frame(packet))
    assert outcome.verdict == "pass"
    return outcome.frame[14 + headers :]


def arrives(datapath: Datapath, packet: Any) -> bytes:
    outcome = datapath.ingress(frame(packet))
    assert outcome.verdict == "pass"
    return outcome.frame[14:]


def tunnelled(inner: Any) -> Any:
    return IP(src=BALANCER, dst=OWN[4], proto=4 if inner.version == 4 else 41) / Raw(bytes(inner))


FLOWS = {4: ("192.0.2.77", "10.1.2.3", 1420), 6: ("2001:db8::77", "fd00::3", 1400)}  # 40 bytes if the row is IPv6


@pytest.mark.parametrize("version", FLOWS)
@pytest.mark.parametrize("flags", ["S", "SA", "SEC"])
def test_both_ways(compiled: Compile, version: int, flags: str) -> None:
    ours, theirs, mss = FLOWS[version]
    with Datapath(compiled(SPEC)) as datapath:
        packet = syn(ours, theirs, flags)
        assert sent(datapath, packet).hex() == lowered(packet, mss).hex()
        answer = syn(theirs, ours, flags)
        # In a tunnel, and past it: what answers is encapsulated.
        assert arrives(datapath, tunnelled(answer)).hex() == lowered(answer, mss).hex()
        assert arrives(datapath, answer).hex() == lowered(answer, mss).hex()


def test_only_what_rules_encapsulate(compiled: Compile) -> None:
    with Datapath(compiled(SPEC)) as datapath:
        for packet in (syn("192.0.2.77", "198.51.100.1"), syn("192.0.2.77", "10.1.2.3", port=22)):
            assert sent(datapath, packet, 0) == bytes(packet)
        came = syn("198.51.100.1", "192.0.2.77")
        assert arrives(datapath, came) == bytes(came)
        ssh = IP(src="10.1.2.3", dst="192.0.2.77") / TCP(sport=22, dport=4000, flags="SA", options=[MSS])
        assert arrives(datapath, ssh) == bytes(ssh)
        data = IP(src="192.0.2.77", dst="10.1.2.3") / TCP(sport=4000, dport=80, flags="PA", options=[MSS]) / Raw(b"x")
        assert sent(datapath, data) == bytes(data)
        small = syn("192.0.2.77", "10.1.2.3", options=[("MSS", 1419)])
        assert sent(datapath, small) == bytes(small)


def test_the_largest_row(compiled: Compile) -> None:
    """A row may become GRE over IPv6 while the connection lasts: 44 bytes."""
    with Datapath(compiled(SPEC)) as datapath:
        packet = syn("192.0.2.77", "172.16.0.9")
        assert sent(datapath, packet).hex() == lowered(packet, 1416).hex()


RAW_MSS = b"\x02\x04\x05\xb4"
NOP, AO, MD5 = b"\x01", b"\x1d\x10\x01\x02" + bytes(12), b"\x13\x12" + bytes(16)
# Options as they stand, and where the MSS has been lowered in them; None: left as they are.
OPTIONS: dict[str, tuple[bytes, int | None]] = {
    "alone": (RAW_MSS, 0),
    "behind 36 NOPs": (NOP * 36 + RAW_MSS, 36),
    "at an odd place": (NOP + RAW_MSS + NOP * 3, 1),
    "behind an odd option": (b"\x03\x03\x07" + RAW_MSS + NOP, 3),
    "behind an unknown option": (b"\xfd\x0a" + bytes(8) + RAW_MSS + NOP * 2, 10),
    "with an MD5 signature": (RAW_MSS + MD5 + NOP * 2, 0),
    "behind an MD5 signature": (NOP * 2 + MD5 + RAW_MSS, 20),
    "none": (NOP * 4, None),
    "no options": (b"", None),
    "behind the end": (b"\0" + NOP * 3 + RAW_MSS, None),
    "an option of length 0 before it": (b"\xfd\0" + NOP * 2 + RAW_MSS, None),
    "an option that goes beyond": (b"\xfd\x40" + NOP * 2 + RAW_MSS, None),
    "too short": (b"\x02\x03\x05" + NOP, None),
    "cut off": (NOP * 2 + b"\x02\x04", None),
}


def raw_syn(options: bytes, version: int = 4) -> Any:
    ours, theirs, _ = FLOWS[version]
    head = IP(src=ours, dst=theirs, proto=6) if version == 4 else IPv6(src=ours, dst=theirs, nh=6)
    tcp = bytes(TCP(sport=1, dport=80, flags="S", dataofs=5 + len(options) // 4, chksum=0))[:20] + options
    return head.__class__(bytes(head / Raw(_with_checksum(head, tcp))))


def _with_checksum(head: Any, tcp: bytes) -> bytes:
    from scapy.layers.inet import in4_chksum
    from scapy.layers.inet6 import in6_chksum

    value = in4_chksum(6, head, tcp) if head.version == 4 else in6_chksum(6, head, tcp)
    return tcp[:16] + value.to_bytes(2, "big") + tcp[18:]


@pytest.mark.parametrize("version", FLOWS)
@pytest.mark.parametrize("name", OPTIONS)
def test_options(compiled: Compile, name: str, version: int) -> None:
    options, at = OPTIONS[name]
    expected = options
    if at is not None:
        mss = FLOWS[version][2].to_bytes(2, "big")
        expected = options[: at + 2] + mss + options[at + 4 :]
    with Datapath(compiled(SPEC)) as datapath:
        assert sent(datapath, raw_syn(options, version)).hex() == bytes(raw_syn(expected, version)).hex()


@pytest.mark.parametrize("options", [RAW_MSS + AO, AO + RAW_MSS], ids=["before", "behind"])
def test_authenticated_options_are_kept(compiled: Compile, options: bytes) -> None:
    with Datapath(compiled(SPEC)) as datapath:
        packet = raw_syn(options)
        outcome = datapath.egress(frame(packet))
        assert outcome.frame[34:] == bytes(packet)
        assert set(outcome.counted) == {"egress_rule_sites", "egress_mss_kept"}
        came = IP(bytes(packet))
        came.src, came.dst = came.dst, came.src
        del came.chksum
        outcome = datapath.ingress(frame(came))
        assert outcome.frame[14:] == bytes(came) and set(outcome.counted) == {"ingress_mss_kept"}
        low = raw_syn(b"\x02\x04\x02\x00" + AO)  # nothing had to be lowered
        assert set(datapath.egress(frame(low)).counted) == {"egress_rule_sites"}


def test_shapes_of_packets(compiled: Compile) -> None:
    with Datapath(compiled(SPEC)) as datapath:
        with_data = syn("192.0.2.77", "10.1.2.3", data=b"fast open" * 9)
        assert sent(datapath, with_data).hex() == lowered(with_data, 1420).hex()
        first = syn("192.0.2.77", "10.1.2.3", data=bytes(40))
        first.flags = "MF"
        first[TCP].chksum = 0x1234
        out = sent(datapath, first)
        assert out[20:40] != bytes(first)[20:40] and out[42:44] == (1420).to_bytes(2, "big")
        # A later fragment has no TCP header, whatever its bytes look like.
        body = bytes(syn("192.0.2.77", "10.1.2.3"))[20:]
        later = IP(src="192.0.2.77", dst="10.1.2.3", proto=6, frag=5) / Raw(body)
        assert _carried(datapath, later) in (None, bytes(later))
        later6 = IPv6(src="2001:db8::77", dst="fd00::3") / IPv6ExtHdrFragment(nh=6, offset=5) / Raw(body)
        assert _carried(datapath, later6) in (None, bytes(later6))
        chain = IPv6(src="2001:db8::77", dst="fd00::3") / IPv6ExtHdrDestOpt() / TCP(flags="S", options=[MSS])
        assert sent(datapath, chain).hex() == lowered(chain, 1400).hex()
        udp = IP(src="192.0.2.77", dst="10.1.2.3") / UDP(sport=1, dport=2) / Raw(body)
        assert sent(datapath, udp) == bytes(udp)


def _carried(datapath: Datapath, packet: Any) -> bytes | None:
    outcome = datapath.egress(frame(packet))
    return outcome.frame[34:] if outcome.verdict == "pass" else None


def test_switched_off(compiled: Compile) -> None:
    with Datapath(compiled(SPEC + "mtu: {clamp_mss: false}\n")) as datapath:
        packet = syn("192.0.2.77", "10.1.2.3")
        assert sent(datapath, packet) == bytes(packet)
        answer = syn("10.1.2.3", "192.0.2.77", "SA")
        assert arrives(datapath, tunnelled(answer)) == bytes(answer)
        assert not [name for name in datapath.names if "mss" in name]


@pytest.mark.parametrize("mtu", [60, 80, 100, 576, 9000])
def test_every_mtu(compiled: Compile, mtu: int) -> None:
    """Where no segment fits there is nothing to lower; where all fit neither."""
    with Datapath(compiled(SPEC), mtu=mtu) as datapath:
        packet = syn("192.0.2.77", "10.1.2.3", options=[MSS])
        outcome = datapath.egress(frame(packet))
        if outcome.verdict == "pass":
            mss = mtu - 40 - 40
            expected = lowered(packet, mss) if 0 < mss < 1460 else bytes(packet)
            assert outcome.frame[34:].hex() == expected.hex()
        else:
            assert set(outcome.counted) == {"egress_too_big", "egress_without_df"}


TABLES = """
encapsulations:
  ipip: [{ipv4: {source: host.address, destination: endpoint.to}}]
  gre: [{ipv4: {source: host.address, destination: endpoint.to}}, {gre: {key: 7}}]
endpoints:
  plain: {key: destination, fields: {to: ipv4}, encapsulation: ipip, rows: [{destination: 10.0.0.0/8, to: 192.0.2.1}]}
  keyed: {key: destination, fields: {to: ipv4}, encapsulation: gre, rows: [{destination: 10.0.0.0/8, to: 192.0.2.1}]}
egress:
  rules:
    - {name: voice, match: {destination: 10.1.0.0/16, dscp: ef}, to: keyed}
    - {name: first, match: {destination: 10.1.0.0/16}, to: plain}
    - {name: web, match: {destination: 10.2.0.0/16, protocol: tcp, destination_port: 443}, to: keyed}
    - {name: rest, match: {destination: 10.0.0.0/8}, to: plain}
  default: pass
"""


def test_flows_that_may_take_several_rules(compiled: Compile) -> None:
    """A flow whose packets may have another DSCP leaves headroom for the rows of both tables."""
    with Datapath(compiled(HEAD + TABLES)) as datapath:
        for destination, port, overhead, rows in (
            ("10.1.0.1", 80, 20, 28),
            ("10.2.0.1", 443, 28, 28),
            ("10.2.0.1", 80, 20, 28),  # the rows of `plain` are for flows of both kinds
        ):
            packet = syn("192.0.2.77", destination, port=port)
            assert sent(datapath, packet, overhead).hex() == lowered(packet, 1460 - rows).hex()
    without = TABLES.replace(", dscp: ef", ", protocol: udp")
    with Datapath(compiled(HEAD + without)) as datapath:
        packet = syn("192.0.2.77", "10.1.0.1")
        assert sent(datapath, packet).hex() == lowered(packet, 1440).hex()
        answer = IP(src="10.2.0.1", dst="192.0.2.77") / TCP(sport=443, dport=5, flags="SA", options=[MSS])
        assert arrives(datapath, answer).hex() == lowered(answer, 1432).hex()


# No rule on ingress and `default: pass`: the rules see only the families of their destinations.
CGROUP = (
    HEAD.replace("5.10", "5.19").replace("[host.uplink]}", "[host.uplink], cgroup: /}")
    + """
encapsulations:
  ipip: [{ipv4: {source: host.address, destination: endpoint.to}}]
endpoints:
  exits: {fields: {to: ipv4}, encapsulation: ipip, rows: [{name: a, to: 192.0.2.1}]}
egress:
  rules: [{name: sites, match: {cgroup: a.slice, destination: DESTINATIONS}, to: exits/a}]
  default: pass
"""
)
LOOPBACK = {4: "127.0.0.1", 6: "::1"}


@pytest.mark.parametrize(
    ("destinations", "versions"), [("10.0.0.0/8", {4}), ('"fd00::/8"', {6}), ('[10.0.0.0/8, "fd00::/8"]', {4, 6})]
)
@pytest.mark.parametrize("version", LOOPBACK)
def test_sockets_of_families_that_rules_see(
    compiled: Compile, destinations: str, versions: set[int], version: int
) -> None:
    """What comes to a socket is made to fit only if its family may be encapsulated because of one."""
    kind = socket.AF_INET if version == 4 else socket.AF_INET6
    text = CGROUP.replace("DESTINATIONS", destinations)
    with socket.create_server((LOOPBACK[version], 0), family=kind) as listener, Datapath(compiled(text)) as datapath:
        port = listener.getsockname()[1]
        packet = syn(LOOPBACK[version], LOOPBACK[version], port=port, options=[("MSS", 1440)])
        most = {4: MTU - 20 - 40, 6: MTU - 20 - 60}[version]
        expected = lowered(packet, most) if version in versions else bytes(packet)
        assert arrives(datapath, packet).hex() == expected.hex()


DIRECT = (
    HEAD
    + """
encapsulations:
  gue:
    - ip: {source: host.address, destination: received.ip.source}
    - udp: {destination_port: 6080, source_port: flow, checksum: zero}
    - gue: {private: received.gue.private}
ingress:
  rules: [{name: from-lb, decapsulate: gue, from: [192.0.2.0/28]}]
"""
)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("private", [b"", b"private!"])
def test_direct_return(compiled: Compile, version: int, private: bytes) -> None:
    """What follows the SYN-ACK comes in by the tunnel, though no answer leaves by it."""
    client, vip = ("198.51.100.5", "203.0.113.9") if version == 4 else ("2001:db8:5::1", "2001:db8:ff::9")
    with Datapath(compiled(DIRECT)) as datapath:
        asked = syn(client, vip, options=[MSS])
        answer = (IP if version == 4 else IPv6)(src=vip, dst=client) / TCP(
            sport=80, dport=4000, flags="SA", options=[MSS, *TAIL]
        )
        assert sent(datapath, answer, 0) == bytes(answer)  # nobody asked
        arrives(datapath, asked)  # past the balancers
        assert sent(datapath, answer, 0) == bytes(answer)
        gue = bytes((len(private) // 4, 4 if version == 4 else 41, 0, 0)) + private
        outer = IP(src=BALANCER, dst=OWN[4]) / UDP(sport=5, dport=6080, chksum=0) / Raw(gue + bytes(asked))
        assert arrives(datapath, outer) == bytes(asked)  # our own answers are not encapsulated
        mss = (1460 if version == 4 else 1440) - 32 - len(private)
        assert sent(datapath, answer, 0).hex() == lowered(answer, mss).hex()
        other = answer.copy()
        other[TCP].dport = 4001
        assert sent(datapath, other, 0) == bytes(other)
    with Datapath(compiled(DIRECT + "mtu: {clamp_mss: false}\n")) as datapath:
        assert {p.hook for p in datapath.manifest.programs} == {"tc_ingress"}


def test_many_rules_verify(compiled: Compile) -> None:
    """What the answers may meet is walked once, not once for each way through the rules before."""
    rules = "".join(
        f"    - {{name: r{i}, match: {{destination: [10.{i}.0.0/17, 10.{i}.192.0/18, 172.{i}.0.0/16], protocol: tcp, "
        f"destination_port: [{i + 1}, {i + 300}]}}, to: {('plain', 'keyed')[i % 2]}, "
        f"on_miss: {('drop', 'next')[i % 2]}}}\n"
        for i in range(150)
    )
    head, _, rest = TABLES.partition("  rules:\n")
    text = HEAD + f"{head}  rules:\n{rules}  default: pass\n"
    assert "default: pass" in rest
    with Datapath(compiled(text)) as datapath:
        packet = IP(src="10.141.0.1", dst="192.0.2.77") / TCP(sport=142, dport=5, flags="SA", options=[MSS])
        assert arrives(datapath, packet).hex() == lowered(packet, 1432).hex()
        other = IP(src="10.141.0.1", dst="192.0.2.77") / TCP(sport=143, dport=5, flags="SA", options=[MSS])
        assert arrives(datapath, other) == bytes(other)

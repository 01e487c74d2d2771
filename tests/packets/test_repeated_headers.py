"""Headers that stand in a stack several times: each has its own values, from rows, hosts and what came in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from encap_compile.compile.headers.encode import FieldValue, encode

from .datapath import OWN, Datapath
from .inner import frame, packet
from .specs import HEAD, Compile
from .stacks import REMOTE

SPEC = (
    HEAD.replace("address}}", "address}, own: {type: mac, default: uplink.mac}}")
    + """
encapsulations:
  tun:
    - ip: {source: host.address, destination: endpoint.to}
    - udp: {checksum: zero}
    - vxlan: {vni: 7}
    - ethernet: {source: "02:00:00:00:00:01", destination: endpoint.first}
    - ethernet: {source: host.own, destination: endpoint.second}
endpoints:
  peers:
    key: destination
    fields: {to: ip, first: mac, second: mac}
    encapsulation: tun
    rows:
      - {destination: 10.4.0.0/16, to: 192.0.2.1, first: "02:00:00:00:00:11", second: "02:00:00:00:00:12"}
      - {destination: 10.6.0.0/16, to: "2001:db8::1", first: "02:00:00:00:00:13", second: "02:00:00:00:00:14"}
egress:
  rules:
    - {name: replies, match: {source: 203.0.113.0/24}, reflect: in}
    - {name: all, match: {destination: 10.0.0.0/8}, to: peers}
  default: pass
ingress:
  rules:
    - {name: in, decapsulate: tun, from: peers.to, learn: {for: replies, capacity: 100, idle: 1h}}
"""
)
FIRST, SECOND = "02:00:00:00:00:01", "02:00:00:00:00:77"  # our own MACs


def stack(
    ends: tuple[str, str], first: tuple[str, str], second: tuple[str, str], port: int
) -> list[tuple[str, Mapping[str, FieldValue]]]:
    """(source, destination) of the outer header, and of the frames from the outside in."""
    return [
        ("ipv6" if ":" in ends[0] else "ipv4", {"source": ends[0], "destination": ends[1]}),
        ("udp", {"source_port": port}),
        ("vxlan", {"vni": 7}),
        ("ethernet", {"source": first[0], "destination": first[1]}),
        ("ethernet", {"source": second[0], "destination": second[1]}),
    ]


@pytest.fixture(scope="module")
def loaded(compiled: Compile) -> Iterator[Datapath]:
    with Datapath(compiled(SPEC)) as datapath:
        yield datapath


def sent_port(sent: bytes) -> int:
    at = 20 if sent[0] >> 4 == 4 else 40
    return int.from_bytes(sent[at : at + 2], "big")


@pytest.mark.parametrize("outer", [4, 6])
def test_from_a_row(loaded: Datapath, outer: int) -> None:
    inner = packet("tcp", "10.0.0.1", f"10.{outer}.0.1")
    sent = loaded.egress(frame(inner)).frame[14:]
    macs = ("02:00:00:00:00:11", "02:00:00:00:00:12") if outer == 4 else ("02:00:00:00:00:13", "02:00:00:00:00:14")
    expected = stack((OWN[outer], REMOTE[outer]), (FIRST, macs[0]), (SECOND, macs[1]), sent_port(sent))
    assert sent.hex() == encode(expected, inner).hex()


@pytest.mark.parametrize("outer", [4, 6])
def test_a_reply_exchanges_each(loaded: Datapath, outer: int) -> None:
    theirs = ("02:00:00:00:00:21", "02:00:00:00:00:22")
    ends = (REMOTE[outer], OWN[outer])
    arriving = encode(
        stack(ends, (theirs[0], FIRST), (theirs[1], SECOND), 5), packet("udp-odd", f"198.51.100.{outer}", "203.0.113.1")
    )
    came = loaded.ingress(frame(arriving, 0x0800 if outer == 4 else 0x86DD))
    assert "ingress_rule_in" in came.counted
    inner = reversed_udp(packet("udp-odd", f"198.51.100.{outer}", "203.0.113.1"))
    sent = loaded.egress(frame(inner)).frame[14:]
    expected = stack((ends[1], ends[0]), (FIRST, theirs[0]), (SECOND, theirs[1]), sent_port(sent))
    assert sent.hex() == encode(expected, inner).hex()


def reversed_udp(given: bytes) -> bytes:
    """The answer: addresses and ports exchanged, which no checksum notices."""
    return given[:12] + given[16:20] + given[12:16] + given[22:24] + given[20:22] + given[24:]


@pytest.mark.parametrize("outer", [4, 6])
@pytest.mark.parametrize(("first", "second", "reason"), [(FIRST, FIRST, "_2"), (SECOND, SECOND, "")])
def test_each_is_judged(loaded: Datapath, outer: int, first: str, second: str, reason: str) -> None:
    other = "02:00:00:00:00:99"
    arriving = encode(
        stack((REMOTE[outer], OWN[outer]), (other, first), (other, second), 5), packet("tcp", "10.1.1.1", "203.0.113.1")
    )
    came = loaded.ingress(frame(arriving, 0x0800 if outer == 4 else 0x86DD))
    assert list(came.counted) == [f"refused_tun__ethernet_destination{reason}"]

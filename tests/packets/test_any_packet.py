"""Packets of any kind: what goes in comes out again, and nothing is changed in silence."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment
from scapy.packet import Raw

from .arriving import arriving, decapsulated_counter
from .datapath import MAC, OWN, Datapath
from .inner import frame
from .test_decapsulate import ACCEPTED
from .ways import EXAMPLES, WAYS, Way

Load = Callable[[str], Datapath]
BESIDE = ("egress_no_first_fragment", "egress_next_hop_fallback")  # counted beside what became of the packet
ANY_PACKET = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
# Rules of two-by-row look at DSCP and source, which these packets vary.
FREE = [w for w in WAYS if w.example != "two-by-row"]

transports = st.one_of(
    st.builds(
        lambda s, d, f: TCP(sport=s, dport=d, flags=f),
        st.integers(0, 65535),
        st.integers(9000, 65535),
        st.integers(0, 255),
    ),
    st.builds(lambda s, d: UDP(sport=s, dport=d), st.integers(0, 65535), st.integers(0, 4788)),
)
payloads = st.binary(max_size=300)


@st.composite
def inner_packets(draw: Any, way: Way) -> bytes:
    """Any packet that the way's rule takes."""
    tos, payload = draw(st.integers(0, 255)), Raw(draw(payloads))
    transport = draw(transports)
    number = 6 if isinstance(transport, TCP) else 17
    if way.inner == 4:
        source = str(IPv4Address(draw(st.integers(1 << 24, (224 << 24) - 1))))
        head = IP(
            src=source, dst=way.destination, tos=tos, id=draw(st.integers(0, 65535)), ttl=draw(st.integers(0, 255))
        )
        if draw(st.booleans()):
            return bytes(IP(bytes(head / transport / payload)))
        return bytes(IP(src=source, dst=way.destination, tos=tos, proto=17, frag=draw(st.integers(1, 8191))) / payload)
    source = str(IPv6Address(draw(st.integers(0x2 << 124, (0x3 << 124) - 1))))
    label, limit = draw(st.integers(0, 0xFFFFF)), draw(st.integers(0, 255))
    head = IPv6(src=source, dst=way.destination, tc=tos, fl=label, hlim=limit)
    for _ in range(draw(st.integers(0, 3))):
        head = head / IPv6ExtHdrDestOpt()
    if draw(st.booleans()):
        head = head / IPv6ExtHdrFragment(nh=number, m=1)
    return bytes(head / transport / payload)


@ANY_PACKET
@given(st.data())
def test_round_trip(loaded: Load, data: st.DataObject) -> None:
    """Encapsulated here, outer addresses swapped as if by the peer, decapsulated: the same bytes."""
    way = data.draw(st.sampled_from(FREE))
    inner = data.draw(inner_packets(way))
    sent = loaded(way.example).egress(frame(inner), mark=way.mark)
    outcomes = [name for name in sent.counted if name not in BESIDE]
    assert len(outcomes) == 1 and outcomes[0] in (f"egress_rule_{way.rule}", "egress_rule_web")
    datagram = bytearray(sent.frame[14:])
    first, size = (12, 4) if way.outer == 4 else (8, 16)
    ours, theirs = slice(first, first + size), slice(first + size, first + 2 * size)
    datagram[ours], datagram[theirs] = datagram[theirs], datagram[ours]
    if way.kind == "vxlan":
        at = way.overhead - 14
        datagram[at : at + 6] = bytes.fromhex(MAC.replace(":", ""))
    back = loaded(way.example).ingress(frame(bytes(datagram)))
    assert list(back.counted) == [decapsulated_counter(way)]
    assert back.frame[14:][: len(inner)] == inner
    assert not any(back.frame[14 + len(inner) :])


@ANY_PACKET
@given(st.sampled_from(EXAMPLES), st.binary(min_size=60, max_size=200), st.sampled_from([4, 6]), st.integers(0, 0x2000))
def test_garbage(loaded: Load, example: str, data: bytes, family: int, mark: int) -> None:
    """Whatever comes: it passes as it was, or is dropped and counted, or it is encapsulated whole."""
    datapath = loaded(example)
    given_frame = frame(data, {4: 0x0800, 6: 0x86DD}[family])
    arrived = datapath.ingress(given_frame, mark=mark)
    assert arrived.frame == given_frame and arrived.mark == mark
    assert (arrived.verdict == "drop") == bool(arrived.counted)
    left = datapath.egress(given_frame, mark=mark)
    assert left.mark == mark
    if left.verdict == "drop":
        assert left.frame == given_frame and left.counted
    else:
        assert left.frame == given_frame or left.frame.endswith(data)


@ANY_PACKET
@given(st.sampled_from(ACCEPTED), st.data())
def test_a_damaged_tunnel_packet(loaded: Load, way: Way, data: st.DataObject) -> None:
    """One byte of the outer headers is another: refused, left alone, or the inner packet comes out as it was."""
    inner = way.packet("udp-long")
    if way.example == "two-by-row":
        inner = bytes(
            {4: IP(src="10.1.1.1", dst="10.0.0.1"), 6: IPv6(dst="fd00::1")}[way.inner] / UDP() / Raw(bytes(50))
        )
    given_frame = bytearray(arriving(way, inner))
    position = data.draw(st.integers(14, 14 + way.overhead - 1))
    given_frame[position] ^= data.draw(st.integers(1, 255))
    outcome = loaded(way.example).ingress(bytes(given_frame))
    if list(outcome.counted) == [decapsulated_counter(way)]:
        out = outcome.frame[14:]
        same = out == inner or _but_for_congestion(out, inner)
        assert same
    else:
        assert outcome.frame == bytes(given_frame)
        assert (outcome.verdict == "drop") == bool(outcome.counted)
    assert OWN[way.outer]


def _but_for_congestion(out: bytes, inner: bytes) -> bool:
    """A damaged outer ECN field reaches the inner one."""
    if inner[0] >> 4 == 4:
        return out[2:10] + out[12:] == inner[2:10] + inner[12:] and not (out[1] ^ inner[1]) & ~3
    return out[2:] == inner[2:] and not (int.from_bytes(out[:2], "big") ^ int.from_bytes(inner[:2], "big")) & ~0x30

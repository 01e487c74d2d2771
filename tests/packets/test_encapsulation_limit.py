"""A tunnel encapsulation limit (RFC 2473), as Linux' ip6tnl and ip6gre send it, is removed with the outer header.

Anything else that stands there makes it somebody else's packet, as any other extension header does.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from scapy.layers.inet6 import HBHOptUnknown, Pad1, PadN

from tests.support.ecn import FIGURE_4

from .arriving import OVERLAY, arriving, limited, with_options
from .datapath import Datapath
from .inner import SHAPES, frame, packet
from .specs import HEAD, Compile
from .stacks import Stack, accepted
from .test_decapsulate import ACCEPTED, check
from .test_refused import refused
from .ways import WAYS, Way
from .wrong import OTHERS, WRONG, Wrong

Load = Callable[[str], Datapath]
OVER_IPV6 = [w for w in ACCEPTED if w.outer == 6]
EVERY_WAY = pytest.mark.parametrize("way", OVER_IPV6, ids=str)
LIMIT = HBHOptUnknown(otype=4, optdata=b"\4")


def test_what_scapy_writes_is_what_linux_writes() -> None:
    """init_tel_txopt in net/ipv6/ip6_tunnel.c: option 4 of length 1, then PadN of one byte."""
    way = OVER_IPV6[0]
    given = arriving(way, packet("tcp", *OVERLAY[way.inner]))
    assert limited(given, 9)[54:62] == bytes([given[20], 0, 4, 1, 9, 1, 1, 0])
    assert limited(given)[62:] == given[54:]


@EVERY_WAY
def test_every_shape_of_packet(loaded: Load, way: Way) -> None:
    for shape in SHAPES[way.inner]:
        inner = packet(shape, *OVERLAY[way.inner])
        check(loaded, way, inner, limited(arriving(way, inner)))


@EVERY_WAY
def test_any_limit_in_a_padded_frame(loaded: Load, way: Way) -> None:
    """A limit of 0 forbids to encapsulate the packet again, not to take it out."""
    inner = packet("udp-empty", *OVERLAY[way.inner])
    for limit in (0, 1, 255):
        check(loaded, way, inner, limited(arriving(way, inner), limit))
        check(loaded, way, inner, limited(arriving(way, inner), limit), bytes(18))


@EVERY_WAY
def test_congestion(loaded: Load, way: Way) -> None:
    for inner_ecn, by_outer in FIGURE_4.items():
        for outer_ecn, result in by_outer.items():
            inner = packet("tcp", *OVERLAY[way.inner], tos=inner_ecn)
            given = limited(arriving(way, inner, tos=outer_ecn))
            if result is None:
                outcome = loaded(way.example).ingress(given)
                assert (outcome.verdict, outcome.frame) == ("drop", given)
                assert list(outcome.counted) == [f"refused_{way.kind}__ecn"]
            else:
                outcome = loaded(way.example).ingress(given)
                assert outcome.frame[14:].hex() == packet("tcp", *OVERLAY[way.inner], tos=result).hex()


# The option is inserted into the finished frame, whose lengths are then wrong by as much as they were.
@pytest.mark.parametrize("wrong", [w for w in WRONG if 6 in w.outer], ids=str)
def test_wrong(loaded: Load, wrong: Wrong) -> None:
    for way in (w for w in OVER_IPV6 if wrong.applies(w)):
        inner = packet("udp-long", *OVERLAY[way.inner])
        refused(loaded, way, limited(arriving(way, inner, wrong.change)), wrong.reason)


@EVERY_WAY
def test_super_packets(loaded: Load, way: Way) -> None:
    inner = packet("udp-long", *OVERLAY[way.inner])
    given = limited(arriving(way, inner))
    several = given + given[14:]
    refused(loaded, way, several, "gso", gso_size=len(given) - 14, gso_segs=2)
    refused(loaded, way, given, "gso" if way.kind == "vxlan" else "pull_failed", gso_size=500, gso_segs=3)


@EVERY_WAY
def test_cut_off_at_every_byte(loaded: Load, way: Way) -> None:
    inner = packet("udp-odd", *OVERLAY[way.inner])
    given = limited(arriving(way, inner))
    recognised = 14 + 40 + 8 + (8 if way.kind == "vxlan" else 0)
    complete = 14 + way.overhead + 8 + 20
    for length in range(14 + 40, len(given)):
        reason = OTHERS if length < recognised else "truncated" if length < complete else "length"
        refused(loaded, way, given[:length], reason)


@EVERY_WAY
def test_short_datagrams(loaded: Load, way: Way) -> None:
    inner = packet("udp-odd", *OVERLAY[way.inner])
    for length in range(1, len(inner)):
        reason = "truncated" if length < 20 or (way.inner == 6 and length < 40) else "length"
        refused(loaded, way, limited(arriving(way, inner[:length])), reason)


def test_a_match_that_looks_inside(loaded: Load) -> None:
    """The rule of two-by-row for GRE takes what goes to 10.0.0.0/8."""
    way = Way("two-by-row", "gre", "10.200.0.1", "2001:db8::4", "voice", 7, received_mark=1)
    check(loaded, way, *_pair(way, "10.0.0.1"))
    refused(loaded, way, _pair(way, "11.0.0.1")[1], "match")


def _pair(way: Way, destination: str) -> tuple[bytes, bytes]:
    inner = packet("tcp", "10.1.2.3", destination)
    return inner, limited(arriving(way, inner))


OTHER_OPTIONS = {
    "another option": ([HBHOptUnknown(otype=5, optdata=b"\4")], {}),
    "an option to be discarded if unknown": ([HBHOptUnknown(otype=0x44, optdata=b"\4")], {}),
    "no option": ([], {}),
    "padding alone": ([PadN(optdata=bytes(4))], {}),
    "a limit of no byte": ([HBHOptUnknown(otype=4, optdata=b"")], {}),
    "a limit of two bytes": ([HBHOptUnknown(otype=4, optdata=b"\4\0")], {}),
    "a limit that says it is longer": ([HBHOptUnknown(otype=4, optlen=4, optdata=b"\4")], {}),
    "a limit behind padding": ([Pad1(), LIMIT], {}),
    "three single bytes of padding": ([LIMIT, Pad1(), Pad1(), Pad1()], {}),
    "padding that says it is longer": ([LIMIT, PadN(optlen=2, optdata=b"\0")], {}),
    "padding with something in it": ([LIMIT, PadN(optdata=b"\1")], {}),
    "another option behind it": ([LIMIT, HBHOptUnknown(otype=5, optdata=b"\0")], {}),
    "16 bytes": ([LIMIT, PadN(optdata=bytes(9))], {}),
    "a header that says it is longer": ([LIMIT], {"len": 1}),
    "the longest header": ([LIMIT], {"len": 255}),
}


@pytest.mark.parametrize("name", OTHER_OPTIONS)
def test_other_options(loaded: Load, name: str) -> None:
    options, fields = OTHER_OPTIONS[name]
    for way in OVER_IPV6:
        given = arriving(way, packet("udp-long", *OVERLAY[way.inner]))
        refused(loaded, way, with_options(given, *options, **fields), OTHERS)


@EVERY_WAY
def test_longer_chains(loaded: Load, way: Way) -> None:
    """Two limits, a hop-by-hop header behind one, a fragment, and a limit to somebody else."""
    given = arriving(way, packet("udp-long", *OVERLAY[way.inner]))
    refused(loaded, way, limited(limited(given)), OTHERS)
    for next_header in (0, 43, 44, 59, 132):
        refused(loaded, way, limited(given[:20] + bytes([next_header]) + given[21:]), OTHERS)
    refused(loaded, way, limited(given[:38] + bytes(16) + given[54:]), OTHERS)


@pytest.mark.parametrize("way", [w for w in WAYS if w.outer == 4], ids=str)
def test_not_behind_ipv4(loaded: Load, way: Way) -> None:
    """There 60 is a protocol like any other."""
    given = arriving(way, packet("udp-long", *OVERLAY[way.inner]), lambda datagram: _protocol(datagram, 60))
    refused(loaded, way, given, OTHERS)


def _protocol(datagram: object, number: int) -> None:
    datagram.proto = number  # type: ignore[attr-defined]


@pytest.mark.parametrize("kernel", ["5.10", "6.3"])
@pytest.mark.parametrize("names", sorted(set(accepted(4))), ids="-".join)
def test_before_every_stack(compiled: Compile, names: tuple[str, ...], kernel: str) -> None:
    """Whatever follows: a header with a variable-length part too, and headers behind that."""
    stack = Stack("ipv6", names, kernel)
    with Datapath(compiled(stack.spec())) as loaded:
        for family in (4, 6):
            inner = stack.inner(family, 6, "tcp", back=True)
            given = limited(frame(stack.by_scapy(inner, 6, 50000, back=True)))
            outcome = loaded.ingress(given + bytes(5))
            assert outcome.counted == {"ingress_rule_back": (1, len(inner))}
            assert outcome.frame[14:].hex() == (inner + bytes(5)).hex()
            for end in (54 + 8 + 3, len(given) - len(inner) - 1, len(given) - 1):
                assert "ingress_rule_back" not in loaded.ingress(given[:end]).counted


def test_refused_and_left_as_it_is(compiled: Compile) -> None:
    text = (
        HEAD
        + """
encapsulations: {e: [{ip: {source: host.address, destination: endpoint.to}}, {gre: {key: 7}}]}
endpoints:
  all: {key: destination, fields: {to: ip}, encapsulation: e, rows: [{destination: 10.0.0.0/8, to: "2001:db8::4"}]}
egress: {rules: [{name: out, match: {destination: 10.0.0.0/8}, to: all}], default: pass}
ingress: {refuse: pass, rules: [{name: in, decapsulate: e, from: all.to}]}
"""
    )
    way = Way("", "gre", "10.0.0.1", "2001:db8::4", "", 7)
    inner = packet("tcp", *OVERLAY[4])
    given = limited(arriving(way, inner))
    unlisted = limited(arriving(Way("", "gre", "10.0.0.1", "2001:db8::5", "", 7), inner))
    another_key = limited(arriving(Way("", "gre", "10.0.0.1", "2001:db8::4", "", 8), inner))
    with Datapath(compiled(text)) as datapath:
        outcome = datapath.ingress(given)
        assert (outcome.frame[14:], list(outcome.counted)) == (inner, ["ingress_rule_in"])
        for wrong, reason in ((unlisted, "source"), (another_key, "gre_key")):
            outcome = datapath.ingress(wrong)
            assert (outcome.verdict, outcome.frame) == ("pass", wrong)
            assert list(outcome.counted) == [f"refused_e__{reason}"]

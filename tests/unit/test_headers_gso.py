"""TC's flags by the table, against what the kernel does with them: `bpf_skb_net_grow`, and then segmentation.

The kernel's side is written down here from net/core/filter.c, net/ipv4/af_inet.c and net/ipv6/ip6_offload.c of 6.12,
and shares nothing with the table.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from encap_compile.compile import ir
from encap_compile.compile.headers.catalogue import headers
from encap_compile.compile.headers.gso import (
    Gso,
    Inner,
    Laid,
    Outer,
    Refused,
    Transport,
    answer,
    segmentation,
)
from encap_compile.compile.headers.levels import PerSegment, per_segment
from encap_compile.compile.headers.model import Field, Header, InternetChecksum, Scope, Space, Word
from encap_compile.compile.lower.gso import stack_segmentation
from encap_compile.compile.pipeline import check_spec

KERNELS = [(5, 10), (5, 12), (5, 13), (6, 18)]
EVERY = list(product(Outer, Transport, Inner, Gso, KERNELS))
L3, L4 = "BPF_F_ADJ_ROOM_ENCAP_L3_", "BPF_F_ADJ_ROOM_ENCAP_L4_"
# IP protocols with segmentation: ipip, sit and ip4ip6, ip6ip6; then the transports.
OFFLOADS = {"ipv4": {4, 41, 47, 17}, "ipv6": {4, 41, 47, 17}}
PROTOCOL = {Transport.UDP: 17, Transport.GRE: 47, Transport.OTHER: 97}
LONGEST = 60  # bytes of headers that are pushed


def grow(flags: tuple[str, ...], ip: bool, gso: Gso, kernel: tuple[int, int]) -> str:
    """The tunnel's gso_type, or the error."""
    known = {f"{L3}IPV4", f"{L3}IPV6", f"{L4}GRE", f"{L4}UDP", "BPF_F_ADJ_ROOM_FIXED_GSO"}
    known |= {"BPF_F_ADJ_ROOM_ENCAP_L2_ETH"} if kernel >= (5, 13) else set()
    inner_mac = 14 if "BPF_F_ADJ_ROOM_ENCAP_L2(ETH_HLEN)" in flags else 0
    if set(flags) - known - {"BPF_F_ADJ_ROOM_ENCAP_L2(ETH_HLEN)"}:
        return "EINVAL"  # an unknown bit
    if gso not in (Gso.NONE, Gso.TCP) and (gso is not Gso.UDP or "BPF_F_ADJ_ROOM_FIXED_GSO" not in flags):
        return "ENOTSUPP"
    if not ip:
        return "ENOTSUPP"
    if {f"{L3}IPV4", f"{L3}IPV6"} <= set(flags) or {f"{L4}GRE", f"{L4}UDP"} <= set(flags):
        return "EINVAL"
    if ("BPF_F_ADJ_ROOM_ENCAP_L2_ETH" in flags and inner_mac < 14) or inner_mac > LONGEST:
        return "EINVAL"
    if f"{L4}UDP" in flags:
        return "SKB_GSO_UDP_TUNNEL"
    if f"{L4}GRE" in flags:
        return "SKB_GSO_GRE"
    return "SKB_GSO_IPXIP6" if f"{L3}IPV6" in flags else "SKB_GSO_IPXIP4" if f"{L3}IPV4" in flags else "none"


def segments(tunnel: str, outer: Outer, transport: Transport, inner: Inner, inner_mac: bool) -> bool:
    """Whether segmentation finds its way through the headers, down to the inner TCP or UDP."""
    protocol = PROTOCOL.get(transport, 143 if inner is Inner.ETHERNET else 4)
    if protocol not in OFFLOADS[outer]:
        return False  # no callback: -EPROTONOSUPPORT
    if tunnel != {17: "SKB_GSO_UDP_TUNNEL", 47: "SKB_GSO_GRE"}.get(protocol, f"SKB_GSO_IPXIP{outer.value[-1]}"):
        return False
    return inner_mac == (inner is Inner.ETHERNET)  # the inner MAC header begins where it is said


@pytest.mark.parametrize(("outer", "transport", "inner", "gso", "kernel"), EVERY)
def test_every_combination_has_an_answer(
    outer: Outer, transport: Transport, inner: Inner, gso: Gso, kernel: tuple[int, int]
) -> None:
    ip = inner is not Inner.OTHER
    found = answer(outer, transport, inner, gso, kernel)
    if isinstance(found, Refused):
        assert found.reason
        every = _every_flags()
        can = [f for f in every if grow(f, ip, gso, kernel)[0] != "E"]
        assert found.by_helper == (not can)
        assert not any(segments(grow(f, ip, gso, kernel), outer, transport, inner, _mac(f)) for f in can)
        return
    for flags in [found.flags, *([(*found.flags, "BPF_F_ADJ_ROOM_FIXED_GSO")] if found.may_shrink else [])]:
        tunnel = grow(flags, ip, gso, kernel)
        assert tunnel[0] != "E"
        assert gso is Gso.NONE or segments(tunnel, outer, transport, inner, _mac(flags))
    assert found.may_shrink == (gso is Gso.TCP)  # what is no TCP keeps its boundaries
    assert ("BPF_F_ADJ_ROOM_ENCAP_L2_ETH" in found.flags) == (inner is Inner.ETHERNET and kernel >= (5, 13))


def _mac(flags: tuple[str, ...]) -> bool:
    return "BPF_F_ADJ_ROOM_ENCAP_L2(ETH_HLEN)" in flags


def _every_flags() -> list[tuple[str, ...]]:
    outers, transports = [(f"{L3}IPV4",), (f"{L3}IPV6",)], [(), (f"{L4}UDP",), (f"{L4}GRE",)]
    inners = [(), ("BPF_F_ADJ_ROOM_ENCAP_L2(ETH_HLEN)",)]
    fixed = [(), ("BPF_F_ADJ_ROOM_FIXED_GSO",)]
    return [(*a, *b, *c, *d) for a, b, c, d in product(outers, transports, inners, fixed)]


def laid(*names: str) -> list[Laid]:
    return [Laid(n, headers()[n], per_segment(headers()[n].words)) for n in names]


@pytest.mark.parametrize(
    ("names", "flags", "wrong"),
    [
        (("ipv4",), (f"{L3}IPV4",), ""),
        (("ipv6", "gre"), (f"{L3}IPV6", f"{L4}GRE"), ""),
        (("ipv4", "udp", "gue"), (f"{L3}IPV4", f"{L4}UDP"), ""),
        (("ipv4", "udp", "gue", "gre"), (f"{L3}IPV4", f"{L4}UDP"), ""),
        (("ipv6", "udp", "vxlan", "ethernet"), (f"{L3}IPV6", f"{L4}UDP", "BPF_F_ADJ_ROOM_ENCAP_L2(ETH_HLEN)"), ""),
        (("ipv4", "gre", "udp"), (f"{L3}IPV4", f"{L4}GRE"), "udp.length"),
        (("ipv4", "gue"), (f"{L3}IPV4",), "gue"),
    ],
)
def test_stacks(names: tuple[str, ...], flags: tuple[str, ...], wrong: str) -> None:
    assert segmentation(laid(*names), (5, 10)) == (flags, wrong)


def test_a_header_is_known_by_its_number_alone() -> None:
    """The catalogue says nothing of TC: what the kernel can segment is by IP protocol and EtherType."""
    other = Header("other", "Other", "none", headers()["udp"].words, {Space.IP_PROTOCOL: 17})
    found = segmentation([*laid("ipv4"), Laid("other", other, PerSegment(("length",)))], (5, 10))
    assert found == ((f"{L3}IPV4", f"{L4}UDP"), "")


@pytest.mark.parametrize("scope", [Scope.PAYLOAD, Scope.PSEUDO_HEADER])
def test_the_helper_asks_for_no_checksum_of_a_tunnel(scope: Scope) -> None:
    """UDP's would be copied into each segment, though the kernel writes the length right beside it."""
    udp = headers()["udp"]
    words = (*udp.words[:3], Word("checksum", (Field("checksum", 16, InternetChecksum(scope), "over all"),)))
    fields = per_segment(words)
    assert fields == (("length",), ("checksum",))
    found = segmentation([*laid("ipv4"), Laid("udp", udp, fields)], (5, 10))
    assert found == ((f"{L3}IPV4", f"{L4}UDP"), "udp.checksum")


def test_levels() -> None:
    """IPv4's length and the checksum that covers it differ by segment; a sum over what does not differ is the same."""
    assert per_segment(headers()["ipv4"].words) == (("total_length",), ("checksum",))
    assert per_segment([w for w in headers()["ipv4"].words if w.name != "total_length"]) == ((), ())
    literal = ir.Part("a", 16, 0, ir.Literal(1))
    sums = ir.Part("sum", 16, 0, ir.Checksum(ir.ChecksumScope.HEADER))
    length = ir.Part("length", 16, 0, ir.LengthFrom("h", payload=False))
    inner = ir.Part("inner", 16, 0, ir.FromInner("ttl"))
    for parts, level in (
        ((literal, sums), ir.Level.STACK),
        ((literal, inner, sums), ir.Level.PACKET),
        ((inner, length, sums), ir.Level.SEGMENT),
    ):
        words = tuple(ir.WordLayout(p.name, 16, (p,), "") for p in parts)
        assert ir.levels(ir.Layer("h", "h", "h", 0, 4, words, ""))["sum"] is level


EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "examples").glob("*.yaml"))


@pytest.mark.parametrize("spec", EXAMPLES, ids=lambda spec: spec.stem)
def test_checks_and_lowering_agree(spec: Path) -> None:
    """By the roles of fields, as the checks ask, and by the sources of values, as lowering does: one answer."""
    _, lowered, _, _ = check_spec(str(spec))
    program = lowered.program
    assert program.stacks
    for stack in program.stacks:
        described = headers()
        by_role = [Laid(x.member, described[x.header], per_segment(described[x.header].words)) for x in stack.layers]
        assert stack_segmentation(stack.layers, (5, 10)) == segmentation(by_role, (5, 10))

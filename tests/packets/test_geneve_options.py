"""Geneve options as a gateway load balancer uses them: found in any order, and sent back as they came."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations
from pathlib import Path
from random import Random
from typing import Any

import pytest
from scapy.contrib.geneve import GENEVE, GeneveOptions
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.packet import Raw

from encap_compile.compile.headers.encode import encode

from .datapath import OWN, Datapath, Outcome
from .inner import frame
from .specs import Compile
from .test_geneve import TYPE, outer_packet

BALANCER = "10.0.1.7"
ENIS = {0x6000: bytes.fromhex("1122334455667788"), 0x6001: bytes.fromhex("ffeeddccbbaa9988")}
# The example with rows of its own, and room for as many flows as a test needs.
SPEC = (
    (Path(__file__).resolve().parents[2] / "examples" / "gwlb.yaml")
    .read_text()
    .replace("capacity: 1000000", "capacity: 1000")
    .replace("gwlb-enis.csv", "enis.csv")
)
ROWS = "received.geneve.eni,mark\n" + "".join(f"0x{eni.hex()},{mark}\n" for mark, eni in ENIS.items())
VNI = 0x00BEEF


def option(type_: int, data: bytes, class_: int = 0x0108, **fields: Any) -> Any:
    return GeneveOptions(classid=class_, type=type_, data=data, **fields)


def three(mark: int, cookie: bytes = b"\xc0\x0c\x1e\x01") -> list[Any]:
    return [option(1, ENIS[mark]), option(2, b"attached"), option(3, cookie)]


def packet(family: int, port: int = 1000, size: int = 5) -> bytes:
    ends = ("198.51.100.1", "203.0.113.1") if family == 4 else ("2001:db8:a::1", "2001:db8:b::1")
    head = (IP if family == 4 else IPv6)(src=ends[0], dst=ends[1])
    return bytes(head / TCP(sport=port, dport=443, flags="A") / (b"x" * size))


def tunnelled(inner: bytes, options: Sequence[Any], **fields: Any) -> bytes:
    geneve = GENEVE(**{"vni": VNI, "proto": TYPE[inner[0] >> 4], "options": list(options), **fields}) / Raw(inner)
    return frame(outer_packet(4, BALANCER, OWN[4], geneve, 6081, 61234))


@pytest.fixture(scope="module")
def gwlb(compiled: Compile) -> Iterator[Datapath]:
    with Datapath(compiled(SPEC, enis=ROWS)) as loaded:
        yield loaded


def returned(datapath: Datapath, inner: bytes, mark: int, options: list[Any]) -> None:
    """The packet goes back to where it came from, with these options."""
    outcome = datapath.egress(frame(inner), mark=mark)
    assert (outcome.verdict, set(outcome.counted)) == ("pass", {"egress_rule_back"})
    geneve = GENEVE(vni=VNI, proto=TYPE[inner[0] >> 4], options=options) / Raw(inner)
    assert outcome.frame[14:].hex() == outer_packet(4, OWN[4], BALANCER, geneve, 6081, 61234).hex()
    stack: Any = [
        ("ipv4", {"source": OWN[4], "destination": BALANCER}),
        ("udp", {"source_port": 61234, "checksum": 0}),
        ("geneve", {"vni": VNI, "options": [(o.classid, o.type, o.data) for o in options]}),
    ]
    assert outcome.frame[14:].hex() == encode(stack, inner).hex()


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=lambda o: "".join(map(str, o)))
@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("mark", ENIS)
def test_any_order(gwlb: Datapath, mark: int, family: int, order: tuple[int, ...]) -> None:
    """It goes back in the order of the spec."""
    inner = packet(family, 1000 + int("".join(map(str, order))))
    options = three(mark, bytes((*order, mark & 1)))
    outcome = gwlb.ingress(tunnelled(inner, [options[i] for i in order]))
    assert (outcome.frame, outcome.mark) == (frame(inner), mark)
    assert set(outcome.counted) == {"ingress_rule_inspect", "flows_learned"}
    returned(gwlb, inner, mark, options)


OTHERS = [
    option(0x7F, b""),
    option(1, b"not this", class_=0x0109),
    option(4, bytes(124)),
    option(3, b"12345678", class_=0x0008),
]


@pytest.mark.parametrize(
    "others", [OTHERS[:1], OTHERS[1:2], OTHERS[2:3], OTHERS], ids=["empty", "class", "long", "all"]
)
@pytest.mark.parametrize("place", range(4))
def test_others_are_kept_out(gwlb: Datapath, others: list[Any], place: int) -> None:
    inner = packet(4, 2000 + place)
    options = three(0x6000)
    came = options[:place] + others + options[place:]
    outcome = gwlb.ingress(tunnelled(inner, came, reserved=0x3F, reserved2=0xFF))
    assert (outcome.frame, outcome.mark) == (frame(inner), 0x6000)
    returned(gwlb, inner, 0x6000, options)


def test_reserved_bits_are_ignored(gwlb: Datapath) -> None:
    inner = packet(4, 2500)
    came = [option(o.type, o.data, reserved=7) for o in three(0x6000)]
    assert gwlb.ingress(tunnelled(inner, came)).frame == frame(inner)
    returned(gwlb, inner, 0x6000, three(0x6000))


def refused(outcome: Outcome, given: bytes, reason: str) -> None:
    assert (outcome.verdict, outcome.frame, set(outcome.counted)) == ("drop", given, {f"refused_gwlb__{reason}"})


FINE = three(0x6000)
WRONG: dict[str, tuple[list[Any], dict[str, Any], str]] = {
    "none": ([], {}, "geneve_options_missing"),
    **{f"without {i}": (FINE[:i] + FINE[i + 1 :], {}, "geneve_options_missing") for i in range(3)},
    "other class": ([option(1, ENIS[0x6000], class_=0x0109), *FINE[1:]], {}, "geneve_options_missing"),
    "twice": ([*FINE, FINE[2]], {}, "geneve_options"),
    "shorter": ([option(1, b"abcd"), *FINE[1:]], {}, "geneve_options"),
    "longer": ([*FINE[:2], option(3, b"12345678")], {}, "geneve_options"),
    "critical first": ([option(0x80, b""), *FINE], {}, "geneve_options_critical"),
    "critical last": ([*FINE, option(0xFF, b"abcd")], {}, "geneve_options_critical"),
    "critical form of one": ([*FINE, option(0x81, b"12345678")], {}, "geneve_options_critical"),
    "beyond the header": ([*FINE[:2], option(3, b"abcd", length=2)], {}, "geneve_options"),
    "cut by the header": (FINE, {"optionlen": 7}, "geneve_options"),
    "unknown eni": ([option(1, b"whatever"), *FINE[1:]], {}, "geneve_option_eni"),
    "control": (FINE, {"oam": 1}, "geneve_control"),
    "version": (FINE, {"version": 1}, "geneve_version"),
    "frame": (FINE, {"proto": 0x6558}, "payload"),
}


@pytest.mark.parametrize("name", WRONG)
def test_refuses(gwlb: Datapath, name: str) -> None:
    options, fields, reason = WRONG[name]
    inner = packet(4, 3000)
    given = tunnelled(inner, options, **fields)
    refused(gwlb.ingress(given), given, reason)
    lost = gwlb.egress(frame(inner), mark=0x6000)
    assert (lost.verdict, set(lost.counted)) == ("drop", {"egress_rule_lost"})


def test_options_that_eat_the_packet(gwlb: Datapath) -> None:
    """The header counts more options than the datagram has bytes; what stands there looks like options."""
    inner = packet(4, 3001, size=0)
    for length in range(9, 64):
        outcome = gwlb.ingress(tunnelled(inner, FINE, optionlen=length))
        assert outcome.verdict == "drop"
        assert next(iter(outcome.counted)).startswith("refused_gwlb__"), outcome.counted


def test_two_enis_with_the_same_addresses(gwlb: Datapath) -> None:
    inner = packet(4, 4000)
    for mark in ENIS:
        gwlb.ingress(tunnelled(inner, three(mark, mark.to_bytes(4, "big"))))
    for mark in ENIS:
        returned(gwlb, inner, mark, three(mark, mark.to_bytes(4, "big")))


@pytest.mark.parametrize("others", [0, 5])
def test_the_longest_that_fits(gwlb: Datapath, others: int) -> None:
    """What is kept out does not count."""
    fits = 1500 - 68 - 40
    inner = packet(4, 5000 + others, fits)
    outcome = gwlb.ingress(tunnelled(inner, [*three(0x6000), *(option(9, bytes(8)) for _ in range(others))]))
    assert outcome.frame == frame(inner)
    returned(gwlb, inner, 0x6000, three(0x6000))
    outcome = gwlb.egress(frame(packet(4, 5000 + others, fits + 1)), mark=0x6000)
    assert set(outcome.counted) == {"egress_too_big", "egress_without_df"}


def validated(data: bytes) -> str:
    """What becomes of a packet with these options: how the RFC and the spec read, in Python."""
    seen: dict[int, bytes] = {}
    while data:
        class_, type_, size = int.from_bytes(data[:2], "big"), data[2], (data[3] & 31) * 4
        value, rest = data[4 : 4 + size], data[4 + size :]
        if len(value) < size:
            return "refused_gwlb__geneve_options"
        if class_ == 0x0108 and type_ in (1, 2, 3):
            if type_ in seen or size != (4 if type_ == 3 else 8):
                return "refused_gwlb__geneve_options"
            seen[type_] = value
        elif type_ & 0x80:
            return "refused_gwlb__geneve_options_critical"
        data = rest
    if len(seen) < 3:
        return "refused_gwlb__geneve_options_missing"
    return "ingress_rule_inspect" if seen[1] in ENIS.values() else "refused_gwlb__geneve_option_eni"


def test_any_options(gwlb: Datapath) -> None:
    """Options put together at random, some of them wrong, some cut off."""
    pick = Random(8926)
    found: set[str] = set()
    for _ in range(3000):
        made = [bytes(o) for o in (*three(pick.choice((0x6000, 0x6001))), *pick.choices(OTHERS, k=pick.randrange(3)))]
        pick.shuffle(made)
        if pick.random() < 0.5:
            at = pick.randrange(len(made))
            changed = bytearray(made[at])
            changed[pick.randrange(min(len(changed), 6))] ^= 1 << pick.randrange(8)
            made[at] = bytes(changed)
        if pick.random() < 0.2:
            made.remove(pick.choice(made))
        if pick.random() < 0.2:
            made.append(pick.choice(made))
        data = b"".join(made)[:252]
        if pick.random() < 0.2:
            data = data[: pick.randrange(len(data) // 4 + 1) * 4]
        inner = packet(4, 6000)
        geneve = bytes((len(data) // 4, 0, 8, 0)) + VNI.to_bytes(3, "big") + b"\0" + data + inner
        outcome = gwlb.ingress(frame(outer_packet(4, BALANCER, OWN[4], geneve, 6081)))
        expected = validated(data)
        assert expected in outcome.counted, (data.hex(), outcome.counted)
        assert outcome.frame == frame(inner) if expected == "ingress_rule_inspect" else outcome.verdict == "drop"
        found.add(expected)
    assert len(found) == 5

"""The reference encoder against scapy, field by field, and against its own description."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.contrib.geneve import GENEVE, GeneveOptions
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import GRE, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

from encap_compile.compile.headers.catalogue import headers
from encap_compile.compile.headers.encode import checksum, encode, family, read
from encap_compile.compile.headers.model import (
    Constant,
    Field,
    Header,
    InternetChecksum,
    Length,
    NextProtocol,
    Role,
    Scope,
    Word,
)

INNER = {
    4: bytes(IP(src="10.0.0.1", dst="10.0.0.2", tos=46 << 2 | 2, ttl=7) / UDP() / Raw(b"odd")),
    6: bytes(IPv6(src="fd00::1", dst="fd00::2", tc=46 << 2 | 1, hlim=9) / UDP() / Raw(b"odd")),
}
V4: dict[str, Any] = {"source": "192.0.2.1", "destination": "192.0.2.2"}
V6: dict[str, Any] = {"source": "2001:db8::1", "destination": "2001:db8::2"}
MACS = {"source": "02:00:00:00:00:01", "destination": "02:00:00:00:00:02"}


def outer(version: int, ecn: int, **fields: Any) -> Any:
    if version == 4:
        return IP(**{"src": "192.0.2.1", "dst": "192.0.2.2", "id": 0, "flags": "DF", "ttl": 64, "tos": ecn, **fields})
    return IPv6(**{"src": "2001:db8::1", "dst": "2001:db8::2", "hlim": 64, "tc": ecn, **fields})


CASES: list[tuple[str, Any, Any]] = []
for inner, ecn, ether, proto in ((4, 2, 0x0800, 4), (6, 1, 0x86DD, 41)):
    for version, addresses in ((4, V4), (6, V6)):
        name, next_ = f"ipv{version}", "proto" if version == 4 else "nh"
        CASES += [
            (f"{inner}in{version}", [(name, addresses)], outer(version, ecn, **{next_: proto})),
            (f"gre {inner}in{version}", [(name, addresses), ("gre", {})], outer(version, ecn) / GRE(proto=ether)),
            (
                f"keyed gre {inner}in{version}",
                [(name, addresses), ("gre", {"key": 0xDEADBEEF})],
                outer(version, ecn) / GRE(key_present=1, key=0xDEADBEEF, proto=ether),
            ),
            (
                f"vxlan {inner}in{version}",
                [(name, addresses), ("udp", {"source_port": 50000}), ("vxlan", {"vni": 0xABCDEF}), ("ethernet", MACS)],
                outer(version, ecn)
                / UDP(sport=50000, dport=4789, chksum=0)
                / VXLAN(flags=8, vni=0xABCDEF)
                / Ether(src=MACS["source"], dst=MACS["destination"], type=ether),
            ),
        ]


@pytest.mark.parametrize(("name", "stack", "layers"), CASES, ids=[c[0] for c in CASES])
def test_scapy_agrees(name: str, stack: Any, layers: Any) -> None:
    inner = INNER[int(name.rpartition("in")[0][-1])]
    assert encode(stack, inner).hex() == bytes(layers / Raw(inner)).hex()


def test_given_values_stand_even_wrong_ones() -> None:
    wrong = {"ihl": 6, "total_length": 1, "checksum": 0xBAD, "protocol": 200, "ecn": 3, "df": 0, "mf": 1}
    scapy = IP(src="192.0.2.1", dst="192.0.2.2", ihl=6, len=1, id=0, flags="MF", chksum=0xBAD, proto=200, tos=3)
    # Scapy pads a header to the length it claims.
    assert encode([("ipv4", {**V4, **wrong})], INNER[4])[:20] == bytes(scapy)[:20]


def test_keywords() -> None:
    for version, inner in INNER.items():
        encoded = encode([("ipv4", {**V4, "dscp": "inherit", "ttl": "inherit"})], inner)
        assert (IP(encoded).tos >> 2, IP(encoded).ttl) == (46, {4: 7, 6: 9}[version])
        encoded = encode(
            [("ipv6", {**V6, "dscp": "inherit", "hop_limit": "inherit", "flow_label": "flow"})], inner, 0xABCDE123
        )
        assert (IPv6(encoded).tc >> 2, IPv6(encoded).hlim, IPv6(encoded).fl) == (46, {4: 7, 6: 9}[version], 0xABCDE)
    for flow, port in ((0, 49152), (0xFFFFFFFF, 65535), (1 << 31, 57344)):
        vxlan = [("vxlan", {"vni": 1}), ("ethernet", MACS)]
        assert UDP(encode([("udp", {}), *vxlan], INNER[4], flow)).sport == port


@pytest.mark.parametrize(
    ("stack", "error"),
    [
        ([("nothing", {})], KeyError),
        ([("ipv4", {**V4, "colour": 1})], KeyError),
        ([("ipv4", {"source": "192.0.2.1"})], ValueError),
        ([("ipv4", {**V4, "ttl": 256})], ValueError),
        ([("gre", {"key": 1 << 32})], ValueError),
        ([("ipv4", {**V4, "source": "2001:db8::1"})], ValueError),
    ],
)
def test_what_does_not_go(stack: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        encode(stack, INNER[4])
    with pytest.raises(ValueError):
        encode([("gre", {})], b"\x55" * 40)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=99))
def test_checksum(data: bytes) -> None:
    """A number with the checksum in it sums up to all ones."""
    padded = data + b"\0" * (len(data) % 2)
    assert checksum(padded + checksum(data).to_bytes(2, "big")) == 0


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_what_is_written_is_read(seed: int) -> None:
    """Every field of every header without optional words, with a value of its own."""
    pick = random.Random(seed)
    for header in headers().values():
        if any(w.optional_field for w in header.words):
            continue
        given = {f.name: pick.getrandbits(f.bits) for f in header.fields()}
        encoded = encode([(header.name, given)], INNER[6])
        if header.is_bare(given):
            assert encoded == INNER[6]
            continue
        assert {name: read(encoded, header, name) for name in given} == given


@pytest.mark.parametrize("header", headers().values(), ids=lambda h: h.name)
def test_descriptions_hold_together(header: Any) -> None:
    """What a file in protocols/ must get right, whoever adds it."""
    assert header.name.isidentifier() and header.name == header.name.lower()
    assert header.title and header.reference
    assert sum(w.bits for w in header.words) % 16 == 0
    for field in header.fields():
        assert field.doc and not field.doc.endswith("."), field.name
        if isinstance(field.role, Constant):
            assert 0 <= field.role.value < 1 << field.bits
        if isinstance(field.role, Length):
            assert field.role.extent in ("header", "variable", "datagram", "payload")
            assert field.role.extent != "variable" or header.variable
        if field.peer:
            assert header.field(field.peer).bits == field.bits
    for number in header.announced_as.values():
        assert 0 <= number < 65536
    names_next = [f for f in header.fields() if isinstance(f.role, NextProtocol)]
    assert len(names_next) <= 1
    assert names_next or header.carries, "something must follow"


@pytest.mark.parametrize("length", [0, 4, 64, 124])
def test_private_data(length: int) -> None:
    """GUE, for which scapy has no layer; lengths before it count them."""
    data = bytes(range(length))
    stack: Any = [("ipv4", V4), ("udp", {"source_port": 5, "checksum": 0}), ("gue", {"private": data})]
    gue = bytes((length // 4, 41, 0, 0)) + data + INNER[6]
    assert encode(stack, INNER[6])[20:].hex() == bytes(UDP(sport=5, dport=6080, chksum=0) / gue).hex()
    with pytest.raises(ValueError):
        encode([("gue", {"private": bytes(128)})], INNER[6])


@pytest.mark.parametrize("sizes", [(), (0,), (4,), (8, 8, 4), (124, 120)])
@pytest.mark.parametrize("critical", [0, 0x80])
def test_options(sizes: tuple[int, ...], critical: int) -> None:
    made = [(0x0108, i | (critical if i == 1 else 0), bytes(range(size))) for i, size in enumerate(sizes)]
    stack: Any = [("ipv4", V4), ("udp", {"source_port": 5, "checksum": 0}), ("geneve", {"vni": 9, "options": made})]
    options = [GeneveOptions(classid=c, type=t, data=d) for c, t, d in made]
    geneve = GENEVE(vni=9, proto=0x86DD, critical=bool(critical and len(sizes) > 1), options=options)
    expected = UDP(sport=5, dport=6081, chksum=0) / geneve / Raw(INNER[6])
    assert encode(stack, INNER[6])[20:].hex() == bytes(expected).hex()
    as_bytes: Any = [
        ("geneve", {"vni": 9, "options": b"".join(bytes(o) for o in options), "critical": geneve.critical})
    ]
    assert encode(as_bytes, INNER[6]).hex() == bytes(geneve / Raw(INNER[6])).hex()


def test_options_that_do_not_fit() -> None:
    for options in ([(0x10000, 0, b"")], [(0, 256, b"")], [(0, 0, bytes(128))], [(0, i, bytes(124)) for i in range(3)]):
        with pytest.raises(ValueError):
            encode([("geneve", {"vni": 1, "options": options})], INNER[4])
    with pytest.raises(ValueError):
        encode([("geneve", {"vni": 1, "options": 7})], INNER[4])


def test_no_header() -> None:
    stack: Any = [("ipv4", V4), ("udp", {"source_port": 5, "checksum": 0}), ("gue", {"variant": 1})]
    assert encode(stack, INNER[6])[20:].hex() == bytes(UDP(sport=5, dport=6080, chksum=0) / INNER[6]).hex()


def test_families_by_their_version() -> None:
    assert family(INNER[4]).name == "ipv4" and family(INNER[6]).name == "ipv6"


def _with(monkeypatch: pytest.MonkeyPatch, *changed: Header) -> None:
    """Let the encoder know headers that the catalogue refuses, since the program cannot send them yet."""
    known = {**headers(), **{header.name: header for header in changed}}
    monkeypatch.setattr("encap_compile.compile.headers.encode.headers", lambda: known)


def _replaced(header: Header, word: str, role: Role) -> Header:
    words = tuple(replace(w, fields=(replace(w.fields[0], role=role),)) if w.name == word else w for w in header.words)
    return replace(header, words=words)


SIZES = (0, 1, 2, 31, 32, 1001)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("size", SIZES)
def test_a_checksum_over_a_pseudo_header(monkeypatch: pytest.MonkeyPatch, version: int, size: int) -> None:
    """UDP's, by scapy: over both families, of odd lengths too."""
    sums = InternetChecksum(Scope.PSEUDO_HEADER, zero_is_none=True)
    _with(monkeypatch, _replaced(headers()["udp"], "checksum", sums))
    inner = bytes(IP(src="10.0.0.1", dst="10.0.0.2") / UDP() / Raw(random.Random(size).randbytes(size)))
    stack = [(f"ipv{version}", V4 if version == 4 else V6), ("udp", {"source_port": 50000}), ("gue", {})]
    head = bytes((0, 4, 0, 0))
    expected = outer(version, 0) / UDP(sport=50000, dport=6080) / Raw(head + inner)
    assert encode(stack, inner).hex() == bytes(expected).hex()


def test_a_sum_of_zero_says_that_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """So it is sent as all ones (RFC 768); with a port that makes the sum zero."""
    udp = headers()["udp"]
    _with(monkeypatch, _replaced(udp, "checksum", InternetChecksum(Scope.PSEUDO_HEADER, zero_is_none=True)))
    stack = [("ipv4", V4), ("udp", {"source_port": 0}), ("gue", {})]
    sum_ = int.from_bytes(encode(stack, INNER[4])[26:28], "big")
    stack[1] = ("udp", {"source_port": sum_})
    assert encode(stack, INNER[4])[26:28] == b"\xff\xff"
    _with(monkeypatch, _replaced(udp, "checksum", InternetChecksum(Scope.PSEUDO_HEADER)))
    assert encode(stack, INNER[4])[26:28] == b"\0\0"


@pytest.mark.parametrize("size", SIZES)
def test_a_checksum_over_the_payload(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """GRE's (RFC 2784, section 2.5), by scapy."""
    gre = headers()["gre"]
    flags = replace(gre.words[0].fields[0], role=Constant(1))
    words = (
        replace(gre.words[0], fields=(flags, *gre.words[0].fields[1:])),
        gre.words[1],
        Word("checksum", (Field("checksum", 16, InternetChecksum(Scope.PAYLOAD), "over all"),)),
        Word("reserved1", (Field("offset", 16, Constant(0), "zero"),)),
    )
    _with(monkeypatch, replace(gre, words=words))
    inner = bytes(IP(src="10.0.0.1", dst="10.0.0.2") / Raw(bytes(range(size % 256)) + bytes(size)))
    expected = outer(4, 0) / GRE(chksum_present=1, proto=0x0800) / Raw(inner)
    assert encode([("ipv4", V4), ("gre", {})], inner).hex() == bytes(expected).hex()

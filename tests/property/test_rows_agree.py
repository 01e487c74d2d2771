"""The fast column converters and the explaining parsers accept the same cells and give the same values."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from encap_compile.common import values
from encap_compile.common.diagnostics import Findings
from encap_compile.common.rows.columns import convert, convert_prefixes
from encap_compile.common.rows.csv_text import parse_sheet, read_text
from encap_compile.common.values import ValueProblem
from encap_compile.compile.resolved.coverage import Coverage
from encap_compile.compile.spec import Addresses, Match, Range

TYPES = ["ip", "ipv4", "ipv6", "mac", "u8", "u16", "u24", "u32", "port", "dscp", "protocol"]
WRONG = (ValueProblem, OSError, ValueError, LookupError)
cells = st.one_of(
    st.ip_addresses().map(str),
    st.integers(-3, 2**33).map(str),
    st.integers(0, 2**24).map(hex),
    st.sampled_from(
        ["ef", "AF41", "tcp", "010", "0", "::", "0.0.0.0", "255.255.255.255", "::ffff:1.2.3.4", "1.2.3.4/8"]
    ),
    st.binary(min_size=6, max_size=6).map(lambda b: b.hex(":")),
    st.text(alphabet="0123456789abcdef:./x- ", min_size=1, max_size=17),
    st.text(min_size=1, max_size=5),
)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(TYPES), st.lists(cells, min_size=1, max_size=4))
@example("mac", ["02:00:00:00:00:01\n02:00:00:00:00:02"])
@example("u8", ["٣"])
@example("u8", ["1\n2"])
@example("u8", ["1", ""])
def test_columns(type_: str, column: list[str]) -> None:
    try:
        slow: object = [values.parse(type_, c) for c in column]
    except ValueProblem:
        slow = None
    try:
        fast: object = list(convert(type_, column))
    except WRONG:
        fast = None
    assert fast == slow


prefixes = st.one_of(
    st.tuples(st.ip_addresses(), st.integers(0, 128)).map(lambda t: f"{t[0]}/{t[1]}"),
    st.tuples(st.ip_addresses(), st.integers(0, 32)).map(
        lambda t: str(ip_network((int(t[0]) if t[0].version == 4 else t[0].packed, t[1]), strict=False))
    ),
    cells,
)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(prefixes, min_size=1, max_size=4))
@example(["10.0.0.0/"])
@example(["10.0.0.0/8/8"])
@example(["10.0.0.0/8", "::/0", "1.2.3.4"])
def test_prefix_columns(column: list[str]) -> None:
    try:
        slow = [values.prefix_bytes(c) for c in column]
    except ValueProblem:
        slow = None
    try:
        fast = list(zip(*convert_prefixes(column), strict=True))
    except WRONG:
        fast = None
    assert fast == slow


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=120))
def test_any_file(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    Path(path).write_bytes(data)
    findings = Findings()
    text = read_text(str(path), findings)
    found = parse_sheet(str(path), text, findings) if text is not None else None
    assert (found is None) == bool(findings.errors)
    if found is not None:
        for row in range(found.count):
            for column in range(-1, len(found.columns)):
                assert found.place(row, column).line in range(1, data.count(b"\n") + data.count(b"\r") + 2)


small = st.sampled_from(["10.0.0.0/30", "10.0.0.0/31", "10.0.0.2/31", "10.0.0.1", "10.0.0.3"])
matches = st.builds(
    lambda d, p, r: Match(
        destination=Addresses(tuple(values.prefix(x) for x in d), ()) if d else None,
        protocol=tuple(p),
        destination_port=tuple(Range(min(a, b), max(a, b)) for a, b in r),
    ),
    st.lists(small, max_size=2, unique=True),
    st.lists(st.sampled_from([6, 17]), max_size=2, unique=True),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=2),
)


def _packets(match: Match) -> set[tuple[int, int, int]]:
    """Of a small world of packets, those that match."""
    found = set()
    for address in range(4):
        for protocol in (6, 17, 47):
            for port in range(5):
                number = 0x0A000000 + address
                there = match.destination is None or any(
                    number >> (32 - p.prefixlen) == int(p.network_address) >> (32 - p.prefixlen)
                    for p in match.destination.prefixes
                )
                ported = not match.destination_port or any(r.first <= port <= r.last for r in match.destination_port)
                if there and ported and (not match.protocol or protocol in match.protocol):
                    found.add((address, protocol, port))
    return found


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(matches, matches)
def test_coverage_is_never_claimed_wrongly(first: Match, second: Match) -> None:
    if Coverage().covers(first, second):
        assert _packets(second) <= _packets(first)

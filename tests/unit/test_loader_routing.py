"""Which next hops are one neighbour: by address within a family, by MAC address across families."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from encap_compile.common.diagnostics import Findings, Severity
from encap_compile.common.manifest import KeyColumn, Layout, Member, RuleSummary, Table
from encap_compile.common.rows import read_rows
from encap_compile.run.kernel.devices import Device
from encap_compile.run.kernel.neighbours import neighbours
from encap_compile.run.kernel.routes import Hop, IPAddress, Kind, Route
from encap_compile.run.loader import routing

DEVICE = Device("up0", 2, bytes(6), 1500, True, True)
ROUTER, OTHER = b"\2\0\0\0\0\1", b"\2\0\0\0\0\2"
VIA = {  # prefix -> next hop, None where it is on-link; all by up0
    "10.1.0.0/16": "192.0.2.1",
    "10.2.0.0/16": "192.0.2.2",
    "fd00::/16": "fe80::1",
    "192.0.2.0/24": None,
    "198.51.100.0/24": "192.0.2.3",
    "2001:db8::/64": None,
    "2001:db8:1::/48": "fe80::1",
    "2001:db8:2::/48": "fe80::2",
}
INNER = ("10.1.0.0/16", "10.2.0.0/16", "fd00::/16")  # their routes have an MTU


def lookup(destinations: Iterable[IPAddress], vrf: int = 0) -> list[Route]:
    found: list[Route] = []
    for address in destinations:
        inside = [(via, ip_network(p)) for p, via in VIA.items() if address in ip_network(p)]
        if not inside:
            found.append(Route(Kind.NONE))
            continue
        via, prefix = inside[0]
        mtu = 1300 if str(prefix) in INNER else 0
        found.append(Route(Kind.UNICAST, prefix, (Hop(2, ip_address(via) if via else None),), mtu))
    return found


def checked(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    row: tuple[str, str],
    known: dict[str, bytes],
    next_hop: str = "keep",
) -> routing.RouteReport:
    destination, end = row
    table = Table(
        name="sites",
        map="sites",
        kind="lpm",
        capacity=9,
        columns=(KeyColumn("destination", "prefix", ("ipv4", "ipv6")),),
        fields={"address": "ip"},
        encapsulations=("ipip",),
        family_field="address",
        stacks=(),
        key=Layout(20, (Member("prefixlen", "prefixlen", 0, 4), Member("destination", "ip", 4, 16))),
        value=Layout(16, (Member("address", "ip", 0, 16),)),
        file="sites.csv",
    )
    path = tmp_path / "sites.csv"
    path.write_text(f"destination,address\n{destination},{end}\n")
    findings = Findings()
    rows = read_rows(table, str(path), findings)
    assert not findings.all
    rule = RuleSummary("a", "egress", "", "", (destination,), "sites", "", "d")
    manifest = SimpleNamespace(
        rules=(rule,),
        tables=(table,),
        next_hop=next_hop,
        max_overhead=40,
        counters=(),
        stacks=(),
        route_device=None,
    )
    desired: Any = SimpleNamespace(
        manifest=manifest, machine=SimpleNamespace(attached=(DEVICE,)), wanted=SimpleNamespace(rows={"sites": rows})
    )
    monkeypatch.setattr(routing, "devices", lambda: {"up0": DEVICE})
    monkeypatch.setattr("encap_compile.run.loader.routing.table.destinations", lambda _: [ip_network(p) for p in VIA])
    monkeypatch.setattr("encap_compile.run.loader.routing.table.rules", lambda _: [])
    monkeypatch.setattr("encap_compile.run.loader.routing.table.lookup", lookup)
    macs = {(2, ip_address(a)): mac for a, mac in known.items()}
    monkeypatch.setattr("encap_compile.run.loader.routing.nexthop.neighbours", lambda: macs)
    return routing.check_routes(desired)


FOUR_IN_SIX = ("10.1.0.0/16", "2001:db8:1::7")
SIX_IN_FOUR = ("fd00::/16", "192.0.2.1")


@pytest.mark.parametrize(
    ("row", "known"),
    [
        (("10.1.0.0/16", "192.0.2.1"), {}),  # the gateway itself
        (FOUR_IN_SIX, {"192.0.2.1": ROUTER, "fe80::1": ROUTER}),
        (SIX_IN_FOUR, {"192.0.2.1": ROUTER, "fe80::1": ROUTER}),
        (("10.1.0.0/16", "2001:db8::1"), {"192.0.2.1": ROUTER, "2001:db8::1": ROUTER}),  # on-link
        (("10.2.0.0/16", "198.51.100.9"), {"192.0.2.2": ROUTER, "192.0.2.3": ROUTER}),  # two addresses of one router
    ],
)
def test_one_neighbour(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, row: tuple[str, str], known: dict[str, bytes]
) -> None:
    report = checked(monkeypatch, tmp_path, row, known)
    assert (report.right, report.unknown, report.diagnostics) == (1, 0, [])


@pytest.mark.parametrize(
    ("row", "known", "words"),
    [
        (
            FOUR_IN_SIX,
            {"192.0.2.1": OTHER, "fe80::1": ROUTER},
            "10.1.0.1 goes to 192.0.2.1 on up0 (02:00:00:00:00:02), "
            "its endpoint 2001:db8:1::7 to fe80::1 on up0 (02:00:00:00:00:01)",
        ),
        (("10.2.0.0/16", "198.51.100.9"), {}, "10.2.0.1 goes to 192.0.2.2 on up0, its endpoint 198.51.100.9 to"),
        (("10.2.0.0/16", "198.51.100.9"), {"192.0.2.2": ROUTER, "192.0.2.3": OTHER}, "192.0.2.3 on up0 (02:"),
        (("10.1.0.0/16", "203.0.113.1"), {}, "203.0.113.1 has no route"),
    ],
)
def test_another_neighbour(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, row: tuple[str, str], known: dict[str, bytes], words: str
) -> None:
    report = checked(monkeypatch, tmp_path, row, known)
    (found,) = report.diagnostics
    assert (found.code, found.severity, report.right) == ("H113", Severity.WARNING, 0)
    assert "next hop differs for 1 of 1 endpoint: " in found.message
    assert words in found.message


@pytest.mark.parametrize(
    ("row", "known", "missing"),
    [
        (FOUR_IN_SIX, {}, "fe80::1%up0"),
        (FOUR_IN_SIX, {"fe80::1": ROUTER}, "192.0.2.1"),
        (SIX_IN_FOUR, {"fe80::1": ROUTER}, "192.0.2.1"),
    ],
)
def test_it_cannot_be_told_yet(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, row: tuple[str, str], known: dict[str, bytes], missing: str
) -> None:
    report = checked(monkeypatch, tmp_path, row, known)
    (found,) = report.diagnostics
    assert (found.code, found.severity) == ("H115", Severity.NOTE)
    assert f"`ping -c 1 {missing}`" in found.help
    assert (report.right, report.unknown, report.pairs) == (0, 1, 1)


def test_route_needs_the_device_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    report = checked(monkeypatch, tmp_path, FOUR_IN_SIX, {}, next_hop="route")
    assert (report.right, report.diagnostics) == (1, [])


def test_the_neighbour_tables_can_be_read() -> None:
    for (ifindex, address), mac in neighbours().items():
        assert ifindex > 0 and len(mac) == 6 and address.version in (4, 6)
    assert socket.if_nameindex()

"""The MTU budget of devices that not every kernel of the tests has: VLANs, which take less than what carries them."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from types import SimpleNamespace
from typing import Any

import pytest

from encap_compile.common.manifest import Route as Routed
from encap_compile.common.manifest import RouteDevice, RuleSummary, Stack
from encap_compile.run.kernel.devices import Device
from encap_compile.run.kernel.routes import Hop, IPAddress, Kind, Route
from encap_compile.run.loader import routing
from encap_compile.run.views.budget_view import BY_DEVICE, MOST_SHOWN, budget_document, budget_lines

BASE = Device("bond0", 2, bytes(6), 9000, True, True)
VLAN = Device("bond0.7", 3, bytes(6), 1500, True, True, kind="vlan", lower=2)
STACKS = (Stack(1, "gue_ipv4", "gue", "ipv4", 156, "", 32), Stack(2, "gue_ipv6", "gue", "ipv6", 176, "", 52))


def checked(
    monkeypatch: pytest.MonkeyPatch,
    attached: Device,
    mtu: int = 0,
    prefixes: tuple[str, ...] = ("10.1.0.0/16",),
    route_device: RouteDevice | None = None,
) -> routing.RouteReport:
    """A rule that reflects, whose answers are routed over the VLAN."""
    rule = RuleSummary("back", "egress", "", "", prefixes, "", "", "d", "reflect")
    replies = (SimpleNamespace(arriving="gue_ipv4", stacks=("gue_ipv4",)),)
    manifest = SimpleNamespace(
        rules=(rule,), tables=(), next_hop="keep", max_overhead=176, counters=(), stacks=STACKS, replies=replies
    )
    manifest.route_device = route_device
    machine, wanted = SimpleNamespace(attached=(attached,)), SimpleNamespace(rows={})
    desired: Any = SimpleNamespace(manifest=manifest, machine=machine, wanted=wanted)
    networks = [ip_network(p) for p in prefixes]

    def lookup(destinations: Iterable[IPAddress], vrf: int = 0) -> list[Route]:
        hops = (Hop(3, ip_address("192.0.2.1")),)
        found = ([n for n in networks if d in n] for d in destinations)
        return [Route(Kind.UNICAST, inside[0], hops, mtu) if inside else Route(Kind.NONE) for inside in found]

    monkeypatch.setattr(routing, "devices", lambda: {d.name: d for d in (BASE, VLAN)})
    monkeypatch.setattr("encap_compile.run.loader.routing.table.destinations", lambda _: networks)
    monkeypatch.setattr("encap_compile.run.loader.routing.table.rules", lambda _: [])
    monkeypatch.setattr("encap_compile.run.loader.routing.table.lookup", lookup)
    return routing.check_routes(desired)


def test_a_vlan_over_the_attached_device_holds_packets_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program on bond0 sends up to 9000 bytes, and no inner packet has more than the VLAN's 1500."""
    report = checked(monkeypatch, BASE)
    assert report.budget is not None
    (route,) = report.budget.routes
    assert (route.device, route.mtu, route.allows, route.fits) == ("bond0", 0, 1500, 9000 - 156)
    assert "H111" not in [d.code for d in report.diagnostics]


def test_a_vlan_that_is_attached_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    report = checked(monkeypatch, VLAN)
    assert report.budget is not None
    (route,) = report.budget.routes
    assert (route.device, route.allows, route.fits) == ("bond0.7", 1500, 1344)
    (found,) = [d for d in report.diagnostics if d.code == "H111"]
    assert "bond0.7 1500 - 156 = 1344, but 10.1.0.0/16 has no mtu" in found.message
    assert budget_lines(report.budget) == [
        "    mtu  device                      takes  headers           add  leaves",
        "         bond0.7 (over bond0, 9000)   1500  gue over ipv4  32-156    1344",
        "                                            gue over ipv6  52-176    1324  received only",
        "         route        by                   allows  fits",
        "         10.1.0.0/16  bond0.7  1500, the device's  1344  156 too many",
    ]


def test_a_route_with_an_mtu(monkeypatch: pytest.MonkeyPatch) -> None:
    report = checked(monkeypatch, VLAN, 1344)
    assert report.budget is not None
    *_, route, modes = budget_lines(report.budget)
    assert route.split() == ["10.1.0.0/16", "bond0.7", "1344", "1344"] and modes.strip() == BY_DEVICE
    assert "H111" not in [d.code for d in report.diagnostics]


def test_many_routes_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    report = checked(monkeypatch, VLAN, 0, tuple(f"10.{n}.0.0/16" for n in range(MOST_SHOWN + 3)))
    assert report.budget is not None
    assert budget_lines(report.budget)[-1].strip() == "and 3 more routes"
    document = budget_document(report.budget)
    assert document is not None and document["routes_total"] == len(document["routes"]) == MOST_SHOWN + 3


def test_a_route_device_has_what_the_smallest_attached_device_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its routes are its own, and all stacks are used, though no route of this machine is looked at."""
    device = RouteDevice("encap0", "egress", "ingress", 176, (Routed("back", "", ("10.1.0.0/16",)),))
    report = checked(monkeypatch, VLAN, route_device=device)
    assert report.budget is not None and report.budget.routes == ()
    assert all(headers.used for headers in report.budget.headers)
    assert budget_lines(report.budget)[-1].strip() == "route device encap0: 1324, and so fits in every mode"
    document = budget_document(report.budget)
    assert document is not None and document["route_device"] == {"name": "encap0", "mtu": 1324}


def test_a_bundle_without_headers_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "STACKS", ())
    assert checked(monkeypatch, VLAN).budget is None
    assert budget_document(None) is None

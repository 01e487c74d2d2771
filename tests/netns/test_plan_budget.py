"""The MTU budget that `plan` shows: devices of every kind, headers by family, and what routes allow at the moment."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.netns.loader_bundle import write
from tests.netns.loader_net import Wire, wire
from tests.support import cli
from tests.support.overlay import ANY_DEVICES, Overlay, sites, write_rows
from tests.support.topology import PLAN, Topology

from .conftest import Compiled

pytestmark = pytest.mark.kernel


@pytest.fixture
def net() -> Iterator[Wire]:
    with wire() as made:
        yield made


def planned(net: Wire, bundle: Path, uplink: str = "eth0") -> Any:
    document = json.loads(net.ctl("plan", bundle, "--set", f"uplink={uplink}", "--format", "json", check=3).stdout)
    return document["mtu"], {d["code"]: (d["message"], d["help"]) for d in document["diagnostics"]}


@pytest.mark.parametrize("mtu", [1280, 1500, 9000])
def test_every_number_follows_the_device(net: Wire, tmp_path: Path, mtu: int) -> None:
    net.ours.ip(f"link set eth0 mtu {mtu}", "route replace 10.1.0.0/16 via 192.0.2.2")
    budget, found = planned(net, write(tmp_path / "one"))
    (device,) = budget["devices"]
    (headers,) = device["headers"]
    assert (device["name"], device["mtu"], device["over"]) == ("eth0", mtu, None)
    assert (headers["overhead"], headers["leaves"], headers["sent"], headers["used"]) == (20, mtu - 20, True, True)
    (route,) = budget["routes"]
    assert (route["mtu"], route["allows"], route["fits"]) == (None, mtu, mtu - 20)
    assert f"eth0 {mtu} - 20 = {mtu - 20}" in found["H111"][0]


def test_a_route_with_an_mtu(net: Wire, tmp_path: Path) -> None:
    budget, found = planned(net, write(tmp_path / "one"))
    (route,) = budget["routes"]
    assert (route["destination"], route["device"]) == ("10.1.0.0/16", "eth0")
    assert (route["mtu"], route["allows"], route["fits"]) == (1400, 1400, 1480)
    assert budget["routes_total"] == 1 and "H111" not in found


def test_a_route_that_outer_packets_take_too(net: Wire, tmp_path: Path) -> None:
    """Its MTU is what `plan` has asked for, and must not be subtracted from again."""
    net.ours.ip("route del 10.1.0.0/16", "route add default via 192.0.2.2 mtu 1480")
    budget, found = planned(net, write(tmp_path / "one", rows={"10.1.0.1": "198.51.100.7"}))
    assert budget["routes"][0]["fits"] == 1480 and budget["paths"] == [] and "H111" not in found


@pytest.mark.parametrize("both", [True, False])
def test_what_the_routes_to_all_tunnel_endpoints_say_of_the_path(net: Wire, tmp_path: Path, both: bool) -> None:
    """One path of several does not lower what fits elsewhere; the program answers for that one."""
    net.ours.ip("route add 198.51.100.0/25 via 192.0.2.2 mtu 1420")
    net.ours.ip(f"route add 198.51.100.128/25 via 192.0.2.2 {'mtu 1410' if both else ''}")
    net.ours.ip("route replace 10.1.0.0/16 via 192.0.2.2 mtu 1480")
    rows = {"10.1.0.1": "198.51.100.7", "10.1.0.2": "198.51.100.8", "10.1.0.3": "198.51.100.200"}
    budget, found = planned(net, write(tmp_path / "one", rows=rows))
    paths = {path["destination"]: (path["mtu"], path["endpoints"]) for path in budget["paths"]}
    assert paths == {"198.51.100.0/25": (1420, 2)} | ({"198.51.100.128/25": (1410, 1)} if both else {})
    assert budget["routes"][0]["fits"] == (1400 if both else 1480)
    assert ("H111" in found) == both
    if both:
        words, fix = found["H111"]
        assert "eth0 1500, the routes to the tunnel endpoints 1420: 1420 - 20 = 1400" in words and "mtu 1400`" in fix


def test_mixed_uplinks_and_families(compiled: Compiled, tmp_path: Path) -> None:
    with Topology(uplinks=2) as topology:
        Overlay(topology, 4)
        topology.ours.ip("link set eth1 mtu 9000")
        for version, prefix in PLAN["near"].prefix.items():
            gateway = {4: "203.0.113.1", 6: "2001:db8:2::1"}[version]
            topology.ours.ip(f"route replace {prefix} via {gateway} dev eth1")
        bundle = compiled(*ANY_DEVICES)
        rows = write_rows(tmp_path, sites(4))
        words = ["--rows", f"sites={rows}", "--set", "uplink=eth0,eth1", "--set", f"vtep_mac={topology.mac('ours')}"]
        text = cli.encapctl(topology.ours, "plan", bundle, *words, check=False).stdout
        document = json.loads(
            cli.encapctl(topology.ours, "plan", bundle, *words, "--format", "json", check=False).stdout
        )
    budget = document["mtu"]
    leaves = {(d["name"], h["outer_family"]): (h["leaves"], h["used"]) for d in budget["devices"] for h in d["headers"]}
    assert leaves == {
        ("eth0", "ipv4"): (1450, True),
        ("eth0", "ipv6"): (1430, False),  # no row leads to an endpoint of that family
        ("eth1", "ipv4"): (8950, True),
        ("eth1", "ipv6"): (8930, False),
    }
    routes = {route["destination"]: (route["device"], route["allows"], route["fits"]) for route in budget["routes"]}
    assert routes[PLAN["far"].prefix[4]] == ("eth0", 1450, 1450)
    assert routes[PLAN["near"].prefix[6]] == ("eth1", 9000, 8950)
    lines = text.splitlines()
    begin = next(i for i, line in enumerate(lines) if line.startswith("    mtu  "))
    assert [line.split() for line in lines[begin : begin + 5]] == [
        ["mtu", "device", "takes", "headers", "add", "leaves"],
        ["eth0", "1500", "vxlan", "over", "ipv4", "50", "1450"],
        ["vxlan", "over", "ipv6", "70", "1430", "no", "row"],
        ["eth1", "9000", "vxlan", "over", "ipv4", "50", "8950"],
        ["vxlan", "over", "ipv6", "70", "8930", "no", "row"],
    ]
    assert any("9000, the device's" in line and "50 too many" in line for line in lines)


@pytest.mark.parametrize(("mtu", "refused"), [(1329, True), (1330, False)])
def test_ipv6_inside_needs_1280_bytes(compiled: Compiled, tmp_path: Path, mtu: int, refused: bool) -> None:
    """It is an error of `plan`; `apply` does it nevertheless, with a warning."""
    with Topology() as topology:
        overlay = Overlay(topology, 4)
        topology.ours.ip(f"link set eth0 mtu {mtu}")
        rows = write_rows(tmp_path, sites(4))
        words = ["--rows", f"sites={rows}", "--set", "uplink=eth0", "--set", f"vtep_mac={topology.mac('ours')}"]
        plan = cli.encapctl(topology.ours, "plan", compiled(), *words, check=False)
        found = [line for line in plan.stderr.splitlines() if line.startswith("error[H119]")]
        assert (plan.returncode, len(found)) == ((6, 1) if refused else (3, 0)), plan.stderr
        if refused:
            assert found[0].startswith("error[H119]: eth0 1329 - 50 = 1279: IPv6 requires 1280 bytes")
            assert "ip -6 route" not in plan.stderr, "no route of IPv6 can have an mtu of 1279"
            assert f"the device and the path take {1280 + 50} bytes" in plan.stderr
            assert "warning[H119]" in cli.encapctl(topology.ours, "apply", compiled(), *words).stderr
            overlay.bundle = compiled()
            overlay.remove()

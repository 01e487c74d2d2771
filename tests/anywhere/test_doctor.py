"""`encapctl doctor` and the MTU budget of `plan`: what a machine's settings cost a bundle is seen on every kernel."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import cli, kernel_vxlan
from tests.support.lone_segments import LINK, network_without_route_mtu
from tests.support.overlay import Overlay, sites, write_rows
from tests.support.topology import PLAN, Topology

from .bundles import TOO_BIG, bundle

pytestmark = pytest.mark.kernel

SETTINGS = {"H111", "H180", "H181", "H182", "H183", "H184"}  # what is checked here, and not other findings


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Overlay, list[str | Path]]]:
    with Topology(offloads="on") as topology:
        overlay = network_without_route_mtu(topology, 4)
        folder = tmp_path_factory.mktemp("doctor")
        rows = write_rows(folder, sites(4, ("far",)))
        values = ["--set", "uplink=eth0", "--set", f"vtep_mac={topology.mac('ours')}"]
        yield overlay, [bundle(TOO_BIG, folder), "--rows", f"sites={rows}", *values]


def asked(network: tuple[Overlay, list[str | Path]], verb: str) -> Any:
    overlay, words = network
    return json.loads(cli.encapctl(overlay.topology.ours, verb, *words, "--format", "json", check=False).stdout)


def found(document: Any) -> set[str]:
    return {d["code"] for d in document["diagnostics"]} & SETTINGS


def test_settings_that_cost_packets(network: tuple[Overlay, list[str | Path]]) -> None:
    """What settings cost the bundle is found, and gone when they are mended"""
    ours = network[0].topology.ours
    document = asked(network, "doctor")
    assert {c["name"]: c["state"] for c in document["checks"]}["hooks"] == "ok"
    assert found(document) == {"H111"}
    ours.sysctl("net.ipv4.ip_no_pmtu_disc", 1)
    assert found(asked(network, "doctor")) == found(asked(network, "plan")) == {"H111", "H182"}
    ours.sysctl("net.ipv4.ip_no_pmtu_disc", 0)
    assert found(asked(network, "doctor")) == {"H111"}


def test_the_budget(network: tuple[Overlay, list[str | Path]]) -> None:
    """`plan` shows what devices take, headers add and routes allow"""
    budget = asked(network, "plan")["mtu"]
    (device,) = budget["devices"]
    left = {h["outer_family"]: (h["overhead"], h["leaves"]) for h in device["headers"]}
    assert left == {f"ipv{v}": (kernel_vxlan.OVERHEAD[v], LINK - kernel_vxlan.OVERHEAD[v]) for v in (4, 6)}
    routes = {route["destination"]: (route["allows"], route["fits"]) for route in budget["routes"]}
    assert routes == {PLAN["far"].prefix[v]: (LINK, LINK - kernel_vxlan.OVERHEAD[4]) for v in (4, 6)}

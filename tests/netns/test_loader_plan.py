"""What plan proves on the machine: routes that bring packets to the hook, neighbours, MTUs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.netns.loader_bundle import write
from tests.netns.loader_net import Wire, wire

pytestmark = pytest.mark.kernel


@pytest.fixture
def net() -> Iterator[Wire]:
    with wire() as made:
        yield made
        assert made.left() == []  # plan changes nothing


def planned(net: Wire, bundle: Path) -> Any:
    return json.loads(net.ctl("plan", bundle, "--set", "uplink=eth0", "--format", "json", check=3).stdout)


def warnings(document: Any) -> dict[str, str]:
    return {d["code"]: d["message"] for d in document["diagnostics"]}


def test_all_well(net: Wire, tmp_path: Path) -> None:
    document = planned(net, write(tmp_path / "one"))
    assert warnings(document) == {}
    none = {"unreached": 0, "unknown": 0, "this_host": 0}
    assert document["routes"] == {"right": 1, **none, "looked_at": 1, "total": 1}
    assert document["format_version"] == 1 and document["changed"] is True


def test_endpoints_of_another_next_hop(net: Wire, tmp_path: Path) -> None:
    net.ours.ip("route add 198.51.100.0/24 via 192.0.2.99")
    rows = {"10.1.0.1": "192.0.2.2", "10.1.0.2": "198.51.100.7", "10.1.0.3": "192.0.2.55"}
    document = planned(net, write(tmp_path / "one", rows=rows))
    found = warnings(document)["H113"]
    assert "2 of 3 endpoints" in found
    assert "10.1.0.2 goes to 192.0.2.2 on eth0, its endpoint 198.51.100.7 to 192.0.2.99 on eth0" in found
    assert document["routes"]["right"] == 1


def test_an_endpoint_without_a_route(net: Wire, tmp_path: Path) -> None:
    document = planned(net, write(tmp_path / "one", rows={"10.1.0.1": "203.0.113.1"}))
    assert "203.0.113.1 has no route" in warnings(document)["H113"]


def test_rows_that_no_rule_sends_packets_to(net: Wire, tmp_path: Path) -> None:
    rows = {"10.1.0.1": "192.0.2.2", "10.1.255.255": "192.0.2.2", "10.2.0.0": "192.0.2.2", "10.0.255.255": "192.0.2.2"}
    found = warnings(planned(net, write(tmp_path / "one", rows=rows)))["H129"]
    assert found.endswith(": destination=10.2.0.0, destination=10.0.255.255")


def test_a_prefix_that_never_reaches_the_hook(net: Wire, tmp_path: Path) -> None:
    net.ours.ip("route del 10.1.0.0/16")
    assert "its route is missing" in warnings(planned(net, write(tmp_path / "one")))["H112"]
    net.ours.ip("link add eth1 type veth peer name eth9", "link set eth1 up", "route add 10.1.0.0/16 dev eth1")
    assert "its route leads to 10.1.0.1 on eth1" in warnings(planned(net, write(tmp_path / "one")))["H112"]


def test_a_part_of_a_prefix_that_leads_elsewhere(net: Wire, tmp_path: Path) -> None:
    net.ours.ip("link add eth1 type veth peer name eth9", "link set eth1 up", "route add 10.1.64.0/24 dev eth1")
    assert (
        "10.1.64.0/24 leads to 10.1.64.1 on eth1: those packets are not encapsulated"
        in warnings(planned(net, write(tmp_path / "one")))["H112"]
    )


@pytest.mark.parametrize(("mtu", "words"), [("", "has no mtu"), ("mtu 1500", "has mtu 1500"), ("mtu 1480", "")])
def test_mtu(net: Wire, tmp_path: Path, mtu: str, words: str) -> None:
    net.ours.ip(f"route replace 10.1.0.0/16 via 192.0.2.2 {mtu}")
    found = warnings(planned(net, write(tmp_path / "one")))
    assert (words in found["H111"] and "1500 - 20 = 1480" in found["H111"]) if words else "H111" not in found


def test_every_destination_is_looked_at(net: Wire, tmp_path: Path) -> None:
    rows = {f"10.1.{i >> 8}.{i & 255}": f"192.0.2.{2 + i % 200}" for i in range(12_000)}
    net.ours.ip("route replace 10.1.0.0/16 via 192.0.2.2 mtu 1400")
    done = net.ctl("plan", write(tmp_path / "one", rows=rows, capacity=20_000), "--set", "uplink=eth0", check=3)
    assert f"next hop right for {sum(a == '192.0.2.2' for a in rows.values())} of 12000 endpoints" in done.stdout


def test_plan_against_what_runs(net: Wire, tmp_path: Path) -> None:
    net.apply(write(tmp_path / "one"))
    done = net.ctl("plan", write(tmp_path / "two", salt="two"), "--set", "uplink=eth0", check=3)
    assert "replaced in place; maps, counters kept" in done.stdout
    assert "0 rules, 0 rows, 2 programs would change; nothing was done.  Next: encapctl apply" in done.stdout
    net.ctl("remove", "hand", check=0)


def test_a_plan_imports_no_library_of_those_that_change_or_compile(net: Wire, tmp_path: Path) -> None:
    """Each takes as long to import as all the rest of a plan: see `kernel/rtnetlink.py`."""
    command = [sys.executable, "-X", "importtime", "-m", "encap_compile.ctl", "plan", str(write(tmp_path / "cold"))]
    done = net.ours.run([*command, "--set", "uplink=eth0"], check=False)
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines() if "|" in line}
    assert "encap_compile" in imported
    assert not imported & {"pyroute2", "yaml", "jinja2", "jsonschema"}
